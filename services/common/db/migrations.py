"""Changes of a whole database: of its schema, by Alembic, and of the key that its secrets are sealed with.

A service's schema is in its own SQLite file or in the PostgreSQL schema of its name; its versions are in
`services/<service>/migrations/versions`. When SECRET_KEY is rotated, what is sealed with a former key is sealed with the
current one while services run. Every process must know both keys before: see docs/security.md.
"""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import sqlalchemy as sa

from services.common.core.errors import SealBrokenError
from services.common.db.database import Database, create_engine

if TYPE_CHECKING:  # imported only by processes that run migrations
    from alembic.config import Config

_SERVICES = Path(__file__).parents[2]
_ENVIRONMENT = (
    Path(__file__).parent / "alembic"
)  # how migrations run: in `env.py`; and the template of new ones
_BATCH = 100  # values in a transaction, which on SQLite blocks other writes for a few milliseconds
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
    """Configure Alembic's commands for the migrations in a folder; they take `attributes["connection"]`."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_ENVIRONMENT))
    config.set_main_option("version_locations", str(versions))
    config.set_main_option("path_separator", "newline")
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


class Seal(Protocol):
    """Cipher of values at rest, which `identity` implements."""

    def is_current(self, sealed: str) -> bool:
        """Whether a value is sealed with the current key."""

    def open(self, sealed: str, *, place: str) -> str:
        """Open a value; raises SealBrokenError."""

    def seal(self, value: str, *, place: str) -> str:
        """Seal a value with the current key."""


@dataclass(frozen=True)
class SealedColumn:
    """A column of sealed values, in a table whose key is one column.

    Attributes:
        place: the first two parts of the place that its values are sealed for; the row's key is the third.
    """

    column: sa.Column[Any]
    place: str

    @property
    def key(self) -> sa.Column[Any]:
        """The table's key."""
        found: sa.Column[Any] = next(iter(self.column.table.primary_key))
        return found


@dataclass(frozen=True)
class Resealed:
    """Result of resealing: the number of values, and the places of those that do not open."""

    count: int
    broken: tuple[str, ...]


async def reseal(db: Database, sealer: Seal, *, columns: Sequence[SealedColumn]) -> Resealed:
    """Seal every value with the current key. A value that is changed meanwhile is sealed by its writer."""
    count, broken = 0, list[str]()
    for column in columns:
        after: Any = None
        while rows := await db.read(lambda c, column=column, after=after: _find_rows(c, column, after=after)):  # type: ignore[misc]
            after = rows[-1][0]
            for key, sealed in rows:
                try:
                    count += await _reseal_value(db, sealer, column=column, key=key, sealed=sealed)
                except SealBrokenError:
                    broken.append(f"{column.place}.{key}")
    return Resealed(count, tuple(broken))


def _find_rows(connection: sa.Connection, column: SealedColumn, *, after: Any) -> list[tuple[Any, str]]:
    query = sa.select(column.key, column.column).where(column.column.is_not(None), column.column != "")
    if after is not None:
        query = query.where(column.key > after)
    return [(key, sealed) for key, sealed in connection.execute(query.order_by(column.key).limit(_BATCH))]


async def _reseal_value(db: Database, sealer: Seal, *, column: SealedColumn, key: Any, sealed: str) -> int:
    if sealer.is_current(sealed):
        return 0
    place = f"{column.place}.{key}"
    anew = sealer.seal(sealer.open(sealed, place=place), place=place)
    # Only if it is still the value that was read: another writer has sealed its own value meanwhile.
    change = sa.update(column.column.table).where(column.key == key, column.column == sealed)
    change = change.values({column.column.name: anew})
    return int(await db.write(lambda connection: connection.execute(change).rowcount))
