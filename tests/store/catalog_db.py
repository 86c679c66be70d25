"""A database for the catalog's suites: SQLite and a real PostgreSQL, with the tables that its migrations make."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from services.common.db.database import Database, create_engine
from tests.databases import make_database


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    if request.param == "sqlite":
        database = open_sqlite(tmp_path)
    else:
        engine = create_engine(make_database(request.getfixturevalue("server")), service="catalog")
        with engine.begin() as connection:
            connection.execute(sa.schema.CreateSchema("catalog"))
        database = build_database(engine)
    yield database
    await database.close()


def open_sqlite(folder: Path) -> Database:
    """Return a new database in a file of a folder."""
    return build_database(create_engine(f"sqlite:///{folder}/p.sqlite3", service="catalog"))


def build_database(engine: sa.Engine) -> Database:
    with engine.connect() as connection, connection.begin():
        migrate(connection)
    return Database(engine)


def migrate(connection: sa.Connection) -> None:
    versions = Path(import_module("services.catalog.migrations.versions").__file__ or "").parent
    with Operations.context(MigrationContext.configure(connection)):
        for file in sorted(versions.glob("0*.py")):
            import_module(f"services.catalog.migrations.versions.{file.stem}").upgrade()
