"""Measures of a service's database for metrics."""

from __future__ import annotations

import sqlalchemy as sa

from services.common.core.telemetry.states import DatabaseMeasure
from services.common.db.database import Database

_SIZE = sa.text("SELECT pg_database_size(current_database())")
# Rows of other users are visible without their queries; the platform's own sessions have one user.
_SESSIONS = sa.text(
    "SELECT coalesce(state, 'none'), count(*), "
    "coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) "
    "FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1"
)
_DEADLOCKS = sa.text("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


async def measure_database(db: Database) -> DatabaseMeasure:
    """Measure the database.

    Raises:
        UnavailableError: it does not answer.
    """
    return await db.read(_measure)


def _measure(connection: sa.Connection) -> DatabaseMeasure:
    if connection.dialect.name != "postgresql":
        pages = connection.execute(sa.text("PRAGMA page_count")).scalar_one()
        size = connection.execute(sa.text("PRAGMA page_size")).scalar_one()
        return DatabaseMeasure(size_bytes=pages * size)
    rows = connection.execute(_SESSIONS).all()
    return DatabaseMeasure(
        size_bytes=connection.execute(_SIZE).scalar_one(),
        sessions={str(row[0]): int(row[1]) for row in rows},
        deadlocks=connection.execute(_DEADLOCKS).scalar_one() or 0,
        transaction_age_s=max((float(row[2]) for row in rows), default=0.0),
    )
