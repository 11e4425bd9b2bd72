"""A card that is lent for the length of one call (ZeroGPU); rented.py is this side of it, task.py the other."""
