"""Jobs: a request on its way to its result, planned, queued, run, and told while it runs."""
