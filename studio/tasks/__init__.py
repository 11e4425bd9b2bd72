"""Tasks: what each means, without any model; limits, bounds, and one folder a task."""
