"""The engine behind the page: models, jobs, outputs. Imports neither gradio nor torch."""

__version__ = "0.1.0"
