"""Checkpoints of one file: a whole model, or the network that paints, as other programs keep them."""
