"""The migrations of every service make the tables that its store uses, on both databases."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.common.db.database import create_engine
from services.common.db.migrations import upgrade
from services.registry import SERVICES
from tests.store.catalog_db import make_database

# Alembic's own table, SQLite's own tables, and the trigram indexes: PostgreSQL has them, SQLAlchemy cannot express them.
_UNDECLARED = ("alembic_version", "sqlite_", "apps_search")


def import_tables(service: str) -> sa.MetaData:
    """Import the tables of a service from where it defines them."""
    for name in (f"services.{service}.store.tables", f"services.{service}.tables"):
        try:
            metadata: sa.MetaData = import_module(name).metadata
        except ModuleNotFoundError:
            continue
        return metadata
    raise AssertionError(f"{service} defines no tables")


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("service", SERVICES)
def test_the_migrations_make_the_tables_that_the_store_uses(
    service: str, database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    sqlite = database == "sqlite"
    url = f"sqlite:///{tmp_path}/p.sqlite3" if sqlite else make_database(request.getfixturevalue("server"))
    upgrade(url, service)
    engine = create_engine(url, service=service)
    options = {"include_name": lambda name, *_: name is None or not name.startswith(_UNDECLARED)}
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, import_tables(service)) == []
    finally:
        engine.dispose()
