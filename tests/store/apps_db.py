"""A database for the suites of apps: SQLite and a real PostgreSQL, their tables made by the migrations."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.db.database import Database, create_engine
from services.common.db.migrations import upgrade
from tests.store.catalog_db import make_database


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/p.sqlite3"
    else:
        url = make_database(request.getfixturevalue("server"))
    upgrade(url, "apps")
    database = Database(create_engine(url, service="apps"))
    yield database
    await database.close()
