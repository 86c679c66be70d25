"""Tests of the catalog's domain."""
