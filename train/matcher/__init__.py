"""A matcher of words with pictures, on what the caption starter sees and the picture starter reads."""
