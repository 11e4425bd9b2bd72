"""Plans: what a job does with a loaded model."""
