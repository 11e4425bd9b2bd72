"""A model in a process of its own: as the studio sees it, from outside, inside, and what is said between."""
