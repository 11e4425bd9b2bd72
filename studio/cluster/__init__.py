"""A cluster of Ray: workers that compute for a studio, how they come and go, and how machines join."""
