"""Music from words: notes, sound tokens, and diffusion of sound."""
