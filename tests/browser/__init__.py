"""A real browser on a platform that runs: the documentation's page and the live events."""
