"""A database for the suites of auth: SQLite and a real PostgreSQL, its tables made by the migrations."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.auth.store.tables import metadata
from services.common.db import Database, create_engine
from services.common.migrations import upgrade
from tests.store.catalog_db import make_database


@pytest.fixture(scope="module")
def postgresql_url(server: str) -> str:
    url = make_database(server)
    upgrade(url, "auth")
    return url


@pytest.fixture(scope="module")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("auth")
    upgrade(f"sqlite:///{folder}/p.sqlite3", "auth")
    return folder / "p-auth.sqlite3"


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_file"), tmp_path)
        url = f"sqlite:///{tmp_path}/p.sqlite3"
    else:
        url = request.getfixturevalue("postgresql_url")
    database = Database(create_engine(url, service="auth"), threads=8)
    yield database
    with database.engine.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    await database.close()
