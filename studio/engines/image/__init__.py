"""Pictures from words and from pictures, and larger ones."""
