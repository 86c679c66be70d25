"""Rendering of items: input values, interpolation, compose and OCI definitions, needs of the host."""
