"""Models that lie on this disk already, whoever put them there: what a file is, where they usually lie, as cards."""
