"""Profiles of the property tests: `steady` for every run, `search` for new examples."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "steady")
FACTOR = 20
_EXAMPLES = 50


def count_examples(steady: int) -> int:
    """So many examples in every run, and many times as many in a search."""
    return steady * FACTOR if PROFILE == "search" else steady


def load_profile() -> None:
    """Make the profile that HYPOTHESIS_PROFILE names the default of all properties; call it before they are imported."""
    # Time belongs in benchmarks.
    shared = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    # The examples follow from the code of each property alone, so that no change fails for a fault that it did not make.
    settings.register_profile("steady", shared, derandomize=True, database=None, max_examples=_EXAMPLES)
    # Where the variable CI is set, Hypothesis begins with a profile of its own that repeats its examples.
    settings.register_profile("search", shared, derandomize=False, max_examples=_EXAMPLES * FACTOR)
    settings.load_profile(PROFILE)
