"""Loading, parking, quantising and streaming text, for engines of several tasks."""
