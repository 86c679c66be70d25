"""A database for the suites of backups: SQLite and a real PostgreSQL, its tables made by the migrations, once."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.common.db.database import Database, create_engine
from services.common.db.migrations import upgrade
from tests.store.catalog_db import make_database


@pytest.fixture(scope="module")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("migrated")
    upgrade(f"sqlite:///{folder}/p.sqlite3", "backups")
    return folder / "p-backups.sqlite3"


@pytest.fixture(scope="module")
def migrated_url(server: str) -> str:
    url = make_database(server)
    upgrade(url, "backups")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "p-backups.sqlite3")
        url = f"sqlite:///{tmp_path}/p.sqlite3"
    else:
        url = copy_database(request.getfixturevalue("migrated_url"))
    database = Database(create_engine(url, service="backups"))
    yield database
    await database.close()


def copy_database(url: str) -> str:
    template, name = sa.engine.make_url(url), f"t{uuid.uuid4().hex}"
    engine = sa.create_engine(template.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template.database}"))
    engine.dispose()
    return template.set(database=name).render_as_string(hide_password=False)
