"""What makes .venv ready: the standard library only."""
