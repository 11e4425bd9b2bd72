"""The image starter: a small latent diffusion model that paints icons, trained on permissively licensed emoji."""
