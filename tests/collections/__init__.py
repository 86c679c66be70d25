"""Measures complete collections: what is published of them, why the rest is not, and whether it means what its source means."""
