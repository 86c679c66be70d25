"""Workflows of the worker: the fetch of a source, and the collection of its pictures."""
