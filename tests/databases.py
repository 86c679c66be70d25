"""Databases of tests, cheap: each service migrated once a process and copied, statements compiled once, no waits for the disk."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from services.common.db import database
from services.common.db.database import Database, create_engine
from services.common.db.migrations import upgrade


class SharedStatements(MutableMapping[Any, Any]):
    """Compiled statements of every engine of the process, as the `compiled_cache` of a connection.

    Nearly every test has an engine of its own. SQLAlchemy keeps compiled statements for each engine, so that a test
    would compile all that it executes: that took half of its time. Its key begins with the dialect's object; all
    dialects of one name are alike here.
    """

    def __init__(self) -> None:
        self._compiled: dict[Any, Any] = {}

    def __getitem__(self, key: Any) -> Any:
        return self._compiled[_name_dialect(key)]

    def __setitem__(self, key: Any, compiled: Any) -> None:
        self._compiled[_name_dialect(key)] = compiled

    def __delitem__(self, key: Any) -> None:
        del self._compiled[_name_dialect(key)]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._compiled)

    def __len__(self) -> int:
        return len(self._compiled)

    def get(self, key: Any, default: Any = None) -> Any:
        """See `Mapping.get`; it is the method that SQLAlchemy calls."""
        return self._compiled.get(_name_dialect(key), default)


def _name_dialect(key: Any) -> Any:
    dialect, *rest = key
    return dialect.name, *rest


def make_databases_cheap() -> None:
    """Share compiled statements, and let SQLite not wait for the disk: temporary files need not survive the machine."""
    database.SQLITE_SYNCHRONOUS = "OFF"
    shared = SharedStatements()

    @sa.event.listens_for(sa.Engine, "engine_connect")
    def share(connection: sa.Connection) -> None:
        connection.execution_options(compiled_cache=shared)


def copy_sqlite(service: str, folder: Path) -> str:
    """Put a migrated SQLite database of a service into a folder; returns the URL for `create_engine`."""
    shutil.copy(_migrate_sqlite(service), folder)
    return f"sqlite:///{folder}/p.sqlite3"


def copy_postgresql(service: str, server: str) -> str:
    """Make a migrated database of a service on a PostgreSQL server; returns its URL."""
    return make_database(server, template=_migrate_postgresql(service, server))


@asynccontextmanager
async def open_copy(service: str, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """Open a migrated database of a service, of the kind that the fixture has as its parameter; it is gone afterwards."""
    if request.param == "sqlite":
        url = copy_sqlite(service, request.getfixturevalue("tmp_path"))
    else:
        url = copy_postgresql(service, request.getfixturevalue("server"))
    opened = Database(create_engine(url, service=service))
    yield opened
    await opened.close()
    if request.param != "sqlite":
        drop_database(url)


def make_database(server: str, *, template: str = "template1") -> str:
    """Make a database on a PostgreSQL server, empty or as a copy of another one; returns its URL."""
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        # Copying files takes half of what writing each block through the log takes.
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    url = sa.make_url(server.replace("postgresql://", "postgresql+psycopg://"))
    return url.set(database=name).render_as_string(hide_password=False)


def drop_database(url: str) -> None:
    """Remove a database of a PostgreSQL server: on a slow disk, hundreds of them took minutes to remove at the end."""
    place = sa.make_url(url)
    server = place.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {place.database} WITH (FORCE)")


@asynccontextmanager
async def open_empty(folder: Path, metadata: sa.MetaData, *, server: str = "") -> AsyncIterator[Database]:
    """Open a database with nothing but these tables: on a PostgreSQL server, or as a SQLite file in a folder."""
    url = make_database(server) if server else f"sqlite:///{folder}/p.sqlite3"
    opened = Database(sa.create_engine(url) if server else create_engine(url, service="test"))
    await opened.write(metadata.create_all)
    yield opened
    await opened.close()
    if server:
        drop_database(url)


@functools.cache
def _migrate_sqlite(service: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="proximity-migrated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    upgrade(f"sqlite:///{folder}/p.sqlite3", service)
    return folder / f"p-{service}.sqlite3"


@functools.cache
def _migrate_postgresql(service: str, server: str) -> str:
    url = make_database(server)
    upgrade(url, service)
    return str(sa.make_url(url).database)
