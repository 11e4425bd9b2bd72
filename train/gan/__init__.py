"""A small GAN that paints icons of 64 pixels."""
