"""Pictures: sizes, prompts, samplers, grids and adaptations, as people ask for them."""
