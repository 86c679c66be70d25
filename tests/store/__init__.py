"""Suites of the stores, each on both databases."""

import protos  # noqa: F401 - puts the generated code on the path
