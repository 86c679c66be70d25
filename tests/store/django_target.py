"""An old database, and ours into which it is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from services.apps.store import tables as apps_tables
from services.auth.store.tables import users
from services.backups.store.tables import backups
from services.common.db.database import create_engine
from services.inventory.store.tables import hosts, settings, vmids
from tests.databases import make_database
from tests.store.django_database import make_django_database

SECRET_KEY = "the key that is of this test alone"


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of our databases, which do not exist yet; the environment names them."""
    made = f"sqlite:///{tmp_path}/db/p.sqlite3"
    if getattr(request, "param", "sqlite") == "postgresql":
        made = make_database(request.getfixturevalue("server"))
    values = {"DATABASE_URL": made, "SECRET_KEY": SECRET_KEY, "PROXIMITY_STATE_DIR": str(tmp_path / "state")}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def old(tmp_path: Path) -> str:
    return make_django_database(tmp_path / "old.db")


def read(url: str, service: str, table: sa.Table) -> list[Any]:
    engine = create_engine(url, service=service, pool_size=1)
    try:
        with engine.connect() as connection:
            return list(connection.execute(sa.select(table).order_by(*table.primary_key.columns)))
    finally:
        engine.dispose()


def read_all(url: str) -> list[list[Any]]:
    tables = [("auth", users), ("inventory", hosts), ("inventory", vmids), ("inventory", settings)]
    tables += [("backups", backups)]
    tables += [("apps", table) for table in apps_tables.metadata.sorted_tables]
    return [read(url, service, table) for service, table in tables]
