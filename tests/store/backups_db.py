"""A database for the suites of backups: SQLite and a real PostgreSQL, its tables made by the migrations, once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.db.database import Database, create_engine
from tests.databases import copy_postgresql, copy_sqlite


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        url = copy_sqlite("backups", tmp_path)
    else:
        url = copy_postgresql("backups", request.getfixturevalue("server"))
    database = Database(create_engine(url, service="backups"))
    yield database
    await database.close()
