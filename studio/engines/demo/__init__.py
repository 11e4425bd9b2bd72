"""Stand-ins for every task, without a model."""
