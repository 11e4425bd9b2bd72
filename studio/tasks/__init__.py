"""What a task means, without any model: limits, bounds, and one folder a task."""
