"""Entities, errors and interfaces of apps; no I/O."""
