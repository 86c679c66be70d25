"""Alembic for every service: versions in `services/<service>/migrations/versions`, one environment for all.

A service's schema lives in its own SQLite file or in the PostgreSQL schema of its name.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from services.common.db.database import create_engine

if TYPE_CHECKING:
    from alembic.config import Config

_SERVICES = Path(__file__).parents[2]
_LOCK_ID = 727_001  # of pg_advisory_lock: any number that nothing else uses


def upgrade(database_url: str, service: str, *, revision: str = "heads") -> None:
    """Bring the database of `service` to a version, by default the newest. Safe to run from several processes at once.

    Raises:
        FileNotFoundError: there is no such service.
        sqlalchemy.exc.DBAPIError: the database does not answer or refuses a migration.
    """
    from alembic import command

    config = configure(find_versions(service))
    engine = create_engine(database_url, service=service, pool_size=1)
    try:
        with _exclusive(engine, service) as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    finally:
        engine.dispose()


def find_versions(service: str) -> Path:
    """Find the folder of a service's migrations.

    Raises:
        FileNotFoundError: there is no such service.
    """
    versions = _SERVICES / service / "migrations" / "versions"
    if not versions.is_dir():  # Alembic would take a missing folder for "nothing to do"
        raise FileNotFoundError(f"service {service!r} has no migrations in {versions}")
    return versions


def configure(versions: Path) -> Config:
    """Configure Alembic for the migrations in a folder."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "alembic"))
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("file_template", "%%(rev)s")
    return config


@contextmanager
def _exclusive(engine: sa.Engine, service: str) -> Iterator[sa.Connection]:
    if engine.dialect.name == "sqlite":
        with Path(f"{engine.url.database}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with engine.connect() as connection:
                # A table that is rebuilt is dropped first, which would cascade. SQLite ignores this in a transaction.
                driver: Any = connection.connection.driver_connection
                driver.execute("PRAGMA foreign_keys=OFF")
                yield connection
        return
    with engine.connect() as connection:
        connection.execute(
            sa.text("SELECT pg_advisory_lock(:id, hashtext(:name))"), {"id": _LOCK_ID, "name": service}
        )
        connection.execute(sa.schema.CreateSchema(service, if_not_exists=True))
        connection.commit()
        try:
            yield connection
        finally:
            connection.rollback()
            connection.execute(
                sa.text("SELECT pg_advisory_unlock(:id, hashtext(:name))"), {"id": _LOCK_ID, "name": service}
            )
            connection.commit()


def add_autoincrement(connection: sa.Connection, table: str, *, skip: int = 0) -> None:
    """Rebuild a table of SQLite so that the id of a deleted row is never given to another; rows and indexes stay.

    Does nothing on PostgreSQL, whose sequences never go back, and where it is done already.

    Args:
        connection: of the migration.
        table: has one integer as its primary key.
        skip: how many ids to leave out, where a process of the release before may remember some of deleted rows.

    Raises:
        RuntimeError: the table is not as our migrations make it.
    """
    if connection.dialect.name != "sqlite":
        return
    objects = connection.execute(
        sa.text("SELECT type, sql FROM sqlite_master WHERE tbl_name = :name AND sql IS NOT NULL"),
        {"name": table},
    ).all()
    created = next(str(sql) for kind, sql in objects if kind == "table")
    if "AUTOINCREMENT" in created:
        return
    new = f"_new_{table}"
    rebuilt, found = re.subn(rf'^CREATE TABLE "?{table}"?', f'CREATE TABLE "{new}"', created)
    rebuilt, key = re.subn(r",\s*PRIMARY KEY \((\w+)\)", "", rebuilt)
    match = re.search(r"\(\s*(\w+) INTEGER NOT NULL", rebuilt)
    if not (found and key and match):
        raise RuntimeError(f"the table {table} cannot be rebuilt from {created!r}")
    name = match.group(1)
    rebuilt = rebuilt.replace(match.group(0), f"(\n\t{name} INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", 1)
    connection.exec_driver_sql(rebuilt)
    connection.exec_driver_sql(f'INSERT INTO "{new}" SELECT * FROM "{table}"')  # noqa: S608 - names of our own
    highest = connection.exec_driver_sql(f'SELECT max({name}) FROM "{table}"').scalar() or 0  # noqa: S608 - as above
    connection.exec_driver_sql(f'DROP TABLE "{table}"')
    connection.exec_driver_sql(f'ALTER TABLE "{new}" RENAME TO "{table}"')
    connection.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": table})
    connection.execute(
        sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"),
        {"name": table, "seq": highest + skip},
    )
    for kind, sql in objects:
        if kind != "table":
            connection.exec_driver_sql(str(sql))
