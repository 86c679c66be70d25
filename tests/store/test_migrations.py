"""The migrations of every service make the tables that its store uses, on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from deploy.migration import import_tables, is_declared
from services.common.db.database import create_engine
from services.common.db.migrations import upgrade
from services.registry import SERVICES
from tests.databases import make_database


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("service", SERVICES)
def test_the_migrations_make_the_tables_that_the_store_uses(
    service: str, database: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    sqlite = database == "sqlite"
    url = f"sqlite:///{tmp_path}/p.sqlite3" if sqlite else make_database(request.getfixturevalue("server"))
    upgrade(url, service)
    engine = create_engine(url, service=service)
    options = {"include_name": is_declared}
    try:
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts=options)
            assert compare_metadata(context, import_tables(service)) == []
    finally:
        engine.dispose()
