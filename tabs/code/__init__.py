"""The code tab."""
