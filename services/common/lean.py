"""Libraries without the libraries that they would take along if those happen to be installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Import within the block as if these were not installed; what is imported already stays.

    For libraries that take others along for what we do not use: each costs every process megabytes and start-up time.
    """
    modules: dict[str, Any] = sys.modules
    hidden = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(hidden))  # None makes `import` raise ImportError
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]
