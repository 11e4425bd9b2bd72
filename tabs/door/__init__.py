"""Doors between the network and Gradio."""
