"""Code completion: how a gap is asked for, and what of the answer belongs in it."""
