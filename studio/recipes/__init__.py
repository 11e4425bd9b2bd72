"""Recipes: how an output was made, written into its file, read back from any program's, and run again."""
