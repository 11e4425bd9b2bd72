"""Backends: where a model is computed, beside our own process."""
