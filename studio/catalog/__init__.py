"""The catalogue: which models exist and what is known of each, read strictly from TOML into cards."""
