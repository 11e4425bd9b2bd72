"""Pictures into words: the engine, how words are held, and networks of our own."""
