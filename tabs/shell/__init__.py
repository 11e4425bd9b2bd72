"""Surroundings of the tabs: look, scripts at the head, strip."""
