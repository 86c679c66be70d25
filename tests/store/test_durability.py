"""What a service has committed to SQLite outlives a power failure."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from services.common.db import database


def test_services_wait_until_a_commit_is_on_the_disk(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("as_in_services", database.__file__)
    assert spec is not None
    assert spec.loader is not None
    fresh = importlib.util.module_from_spec(
        spec
    )  # the setting of the process's own is changed by `tests.databases`
    spec.loader.exec_module(fresh)
    engine = fresh.create_engine(f"sqlite:///{tmp_path}/p.sqlite3", service="apps")
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2, "2 is FULL"
    engine.dispose()
