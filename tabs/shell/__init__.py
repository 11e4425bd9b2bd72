"""What stands round the tabs: look, scripts at the head, strip."""
