"""Networks of our own, as classes of torch and transformers. Engines import them when a model is loaded, no sooner."""
