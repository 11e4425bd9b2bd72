"""The music tab."""
