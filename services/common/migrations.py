"""Alembic for every service: versions in `services/<service>/migrations/versions`, one environment for all.

A service's schema lives in its own SQLite file or in the PostgreSQL schema of its name.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from services.common.db import create_engine

_SERVICES = Path(__file__).parents[1]
_LOCK_ID = 727_001  # of pg_advisory_lock: any number that nothing else uses


def upgrade(database_url: str, service: str) -> None:
    """Bring the database of `service` to the newest version. Safe to run from several processes at once.

    Raises:
        sqlalchemy.exc.DBAPIError: the database does not answer or refuses a migration.
    """
    from alembic import command
    from alembic.config import Config

    engine = create_engine(database_url, service=service, pool_size=1)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "alembic"))
    config.set_main_option("version_locations", str(_SERVICES / service / "migrations" / "versions"))
    config.set_main_option("path_separator", "newline")
    try:
        with _exclusive(engine, service) as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "heads")
    finally:
        engine.dispose()


@contextmanager
def _exclusive(engine: sa.Engine, service: str) -> Iterator[sa.Connection]:
    if engine.dialect.name == "sqlite":
        with Path(f"{engine.url.database}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with engine.connect() as connection:
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
