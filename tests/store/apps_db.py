"""A database for the suites of apps: SQLite and a real PostgreSQL, their tables made by the migrations."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.common.db.database import Database, create_engine
from services.common.db.migrations import upgrade
from tests.store.catalog_db import make_database


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Migrated databases to copy, by dialect: migrating takes longer than most tests."""
    return {"folder": str(tmp_path_factory.mktemp("apps"))}


def _copy_sqlite(templates: dict[str, str], folder: Path) -> str:
    if "sqlite" not in templates:
        templates["sqlite"] = f"{templates['folder']}/sqlite"
        Path(templates["sqlite"]).mkdir()
        upgrade(f"sqlite:///{templates['sqlite']}/p.sqlite3", "apps")
    shutil.copytree(templates["sqlite"], folder, dirs_exist_ok=True)  # the file is named after the service
    return f"sqlite:///{folder}/p.sqlite3"


def _copy_postgresql(templates: dict[str, str], server: str) -> str:
    if "postgresql" not in templates:
        templates["postgresql"] = make_database(server)
        upgrade(templates["postgresql"], "apps")
    return make_database(server, template=templates["postgresql"].rpartition("/")[2].partition("?")[0])


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(
    request: pytest.FixtureRequest, tmp_path: Path, templates: dict[str, str]
) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        url = _copy_sqlite(templates, tmp_path)
    else:
        url = _copy_postgresql(templates, request.getfixturevalue("server"))
    database = Database(create_engine(url, service="apps"))
    yield database
    await database.close()
