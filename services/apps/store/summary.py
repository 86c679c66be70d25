"""Counts of apps and operations, for the summary."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from services.apps.domain.config import AppConfig
from services.apps.domain.summary import OperationCounts
from services.apps.store.tables import apps, operation_tables
from services.common.db.database import Database

ops = operation_tables.operations
_LONGEST = timedelta(
    days=2
)  # from the request of an operation to its end: a day of waiting, and its own time


class SummaryReads:
    """Counts of the apps of an owner (None: of all) and of the operations on them."""

    _db: Database

    async def count_by_status(self, *, owner: int | None) -> dict[str, int]:
        """Count the apps by status, without statuses that no app has."""
        query = sa.select(apps.c.status, sa.func.count()).where(*_of(owner)).group_by(apps.c.status)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return {str(status): int(count) for status, count in rows}

    async def count_by_revision(self, *, owner: int | None) -> dict[tuple[str, str], int]:
        """Count the apps by catalog item and revision."""
        columns = (apps.c.catalog_id, apps.c.revision)
        query = sa.select(*columns, sa.func.count()).where(*_of(owner)).group_by(*columns)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return {(str(item), str(revision)): int(count) for item, revision, count in rows}

    async def count_operations(self, *, owner: int | None, failed_since: datetime) -> OperationCounts:
        """Count the operations that run, and those that failed since a time or were given up."""
        of_apps = sa.select(sa.func.count()).select_from(ops)
        if owner is not None:
            of_apps = of_apps.join(apps, apps.c.id == ops.c.subject).where(apps.c.owner_id == owner)
        unfinished = ops.c.finished_at.is_(None)
        running = of_apps.where(unfinished, ops.c.status != "dead")
        given_up = of_apps.where(unfinished, ops.c.status == "dead")
        # Ends are not indexed, requests are: what ended so late was not requested long before.
        failed = of_apps.where(
            ops.c.status == "failed",
            ops.c.finished_at >= failed_since,
            ops.c.created_at >= failed_since - _LONGEST,
        )
        counts = sa.select(*(query.scalar_subquery() for query in (running, given_up, failed)))
        row = await self._db.read(lambda connection: connection.execute(counts).one())
        return OperationCounts(running=row[0], failed=row[1] + row[2])

    async def list_app_ids(self, *, owner: int | None) -> list[str]:
        """List the ids of the apps, the newest first."""
        query = sa.select(apps.c.id).where(*_of(owner)).order_by(apps.c.created_at.desc(), apps.c.id.desc())
        return await self._db.read(lambda connection: list(connection.execute(query).scalars()))

    async def list_counted_configs(self, *, owner: int) -> list[AppConfig]:
        """List the configurations of the apps of an owner that count for a quota: adopted ones were there before."""
        return await self._db.read(lambda connection: read_counted_configs(connection, owner))

    async def is_hostname_taken(self, hostname: str) -> bool:
        """Whether an app has a hostname."""
        query = sa.select(sa.exists().where(apps.c.hostname == hostname))
        return bool(await self._db.read(lambda connection: connection.execute(query).scalar_one()))


def read_counted_configs(connection: sa.Connection, owner: int) -> list[AppConfig]:
    """Read the configurations of the apps of an owner that count for a quota, within a transaction."""
    query = sa.select(apps.c.config).where(apps.c.owner_id == owner, apps.c.adopted.is_(False))
    return [AppConfig.from_json(config) for config in connection.execute(query).scalars()]


def _of(owner: int | None) -> list[sa.ColumnElement[bool]]:
    return [] if owner is None else [apps.c.owner_id == owner]
