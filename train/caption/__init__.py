"""The caption starter: names what a small drawing or a photograph shows, in English and Chinese."""
