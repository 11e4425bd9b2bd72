"""Networks of our own, as classes of torch. Engines import them when a model is loaded, no sooner."""
