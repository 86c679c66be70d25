"""Reading backups and their operations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from services.backups.domain.entities import (
    IN_USE,
    Backup,
    BackupCount,
    BackupFilter,
    BackupStats,
    BackupStatus,
    OperationStanding,
)
from services.backups.domain.errors import BackupNotFoundError
from services.backups.domain.interfaces import BackupKey
from services.backups.store.rows import (
    attach_copies,
    backup_of_row,
    find_operation,
    read_backup,
    where_app,
    where_broken,
)
from services.backups.store.tables import backups, tables
from services.common.db.database import Database, UtcDateTime
from services.common.db.queries import COMMON_PAGE_SIZES, Query, comes_after
from services.common.operations.model import Operation
from services.common.operations.queries import OperationLookups


class BackupReads:
    """Reads of backups, one round trip each.

    Args:
        db: the service's database.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._operations = OperationLookups(db, tables)

    async def list_backups(
        self, app_id: str, *, owner_id: int | None, offset: int, limit: int, after: int = 0
    ) -> tuple[int, list[Backup]]:
        """See `BackupStore.list_backups`."""
        where = where_app(app_id, owner_id)
        return await self._db.read(
            lambda connection: _read_page(connection, where, offset=offset, limit=limit, after=after)
        )

    async def list_all_backups(
        self, wanted: BackupFilter, *, offset: int, limit: int, after: int = 0
    ) -> tuple[int, list[Backup]]:
        """See `BackupStore.list_all_backups`."""
        where = _where_wanted(wanted)
        return await self._db.read(
            lambda connection: _read_page(connection, where, offset=offset, limit=limit, after=after)
        )

    async def count_backups(
        self, app_ids: Sequence[str], *, operation_ids: Sequence[str] = ()
    ) -> list[BackupCount]:
        """See `BackupStore.count_backups`."""
        return await self._db.read(
            lambda connection: _count(connection, app_ids, operation_ids=operation_ids)
        )

    async def list_deletable(self, *, limit: int) -> list[Backup]:
        """See `BackupStore.list_deletable`."""
        # Protection that was set after the request wins.
        where = (backups.c.delete_requested, ~backups.c.protected, backups.c.status.not_in(IN_USE))
        query = sa.select(backups).where(*where).order_by(backups.c.id).limit(limit)
        return await self._db.read(
            lambda connection: [backup_of_row(row) for row in connection.execute(query)]
        )

    async def find_page(
        self, app_id: str, *, owner_id: int | None, offset: int, limit: int, after: int = 0
    ) -> tuple[int, list[Any]]:
        """See `BackupStore.find_page`."""
        params: dict[str, Any] = {"app": app_id, "offset": offset, "limit": limit}
        params |= {} if owner_id is None else {"owner": owner_id}
        params |= {"after": after} if after else {}
        is_common = offset == 0 and not after and limit in COMMON_PAGE_SIZES
        size = limit if is_common else None
        query = _page_query(owner_id is not None, has_after=bool(after), size=size)
        rows = await self._db.fetch(query, params)
        return (rows[0][0] if rows else 0), [tuple(row) for row in rows]

    async def get_backup(self, key: BackupKey) -> Backup:
        """See `BackupStore.get_backup`."""

        def read(connection: sa.Connection) -> Backup:
            (backup,) = attach_copies(connection, [read_backup(connection, key)])
            return backup

        return await self._db.read(read)

    async def get_stats(self, app_id: str, *, owner_id: int | None) -> BackupStats:
        """See `BackupStore.get_stats`."""
        params: dict[str, Any] = {"app": app_id} | ({} if owner_id is None else {"owner": owner_id})
        rows = await self._db.fetch(_stats_query(owner_id is not None), params)
        counts = {status: int(count) for status, count, _ in rows}
        sizes = {status: int(size) for status, _, size in rows}
        return BackupStats(
            total=sum(counts.values()),
            completed=counts.get(BackupStatus.COMPLETED, 0),
            failed=counts.get(BackupStatus.FAILED, 0),
            in_progress=sum(counts.get(status, 0) for status in IN_USE),
            total_size=sizes.get(BackupStatus.COMPLETED, 0),
            missing=counts.get(BackupStatus.MISSING, 0),
        )

    async def get_operation_backup(self, operation_id: str) -> Backup:
        """See `BackupStore.get_operation_backup`."""
        query = sa.select(backups).where(backups.c.mark == operation_id)
        row = await self._db.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise BackupNotFoundError(f"the operation {operation_id} has no backup")
        return backup_of_row(row)

    async def list_dead_letters(
        self, *, offset: int, limit: int, after: str = ""
    ) -> tuple[int, list[Operation]]:
        """See `BackupStore.list_dead_letters`."""
        wanted = {"status": "dead"}
        found, total = await (
            self._operations.list_operations_after(wanted, after=after, limit=limit)
            if after
            else self._operations.list_operations(wanted, limit=limit, offset=offset)
        )
        return total, found

    async def list_app_ids(self, *, after: str, limit: int) -> list[str]:
        """See `BackupStore.list_app_ids`."""
        there = (backups.c.app_removed_at.is_(None), backups.c.app_id > after)
        query = sa.select(backups.c.app_id).where(*there).distinct().order_by(backups.c.app_id).limit(limit)
        return list(await self._db.read(lambda connection: connection.execute(query).scalars().all()))

    async def get_standing(self, operation_id: str) -> OperationStanding:
        """See `BackupStore.get_standing`."""
        row = await self._db.read(lambda connection: find_operation(connection, operation_id))
        if row is None:
            return OperationStanding("unknown")
        # Dead ones too: an administrator may have them resumed, so that they may still succeed.
        if row.finished_at is None:
            return OperationStanding("unfinished", row.updated_at)
        return OperationStanding("succeeded" if row.status == "succeeded" else "failed", row.updated_at)


def _count(
    connection: sa.Connection, app_ids: Sequence[str], *, operation_ids: Sequence[str]
) -> list[BackupCount]:
    of_apps = backups.c.app_id.in_(app_ids)
    # A backup that is being restored can be restored again; one that is being deleted or broken cannot.
    usable = (
        backups.c.status.in_([BackupStatus.COMPLETED.value, BackupStatus.RESTORING.value]) & ~where_broken()
    )
    protections = sa.func.sum(sa.case((backups.c.protected, 1), else_=0))
    completions = sa.func.sum(sa.case((usable, 1), else_=0))
    last = sa.func.max(sa.case((usable, backups.c.id)))
    query = sa.select(backups.c.app_id, sa.func.count(), protections, completions, last)
    rows = connection.execute(query.where(of_apps).group_by(backups.c.app_id)).all()
    # Backups of earlier releases may have no time of completion.
    ended = sa.func.coalesce(backups.c.completed_at, backups.c.updated_at, type_=UtcDateTime)
    newest = sa.select(backups.c.id, ended).where(backups.c.id.in_([row[4] for row in rows if row[4]]))
    times: dict[int, Any] = {row[0]: row[1] for row in connection.execute(newest)}
    # Whether the backup of an update is still there decides whether the update can be rolled back.
    made_for: dict[str, list[str]] = {}
    found = sa.select(backups.c.app_id, backups.c.mark).where(
        of_apps, usable, backups.c.mark.in_(operation_ids)
    )
    for app_id, operation_id in connection.execute(found) if operation_ids else ():
        made_for.setdefault(app_id, []).append(operation_id)
    return [
        BackupCount(
            app_id=row[0],
            total=int(row[1]),
            protected=int(row[2]),
            completed=int(row[3]),
            last_id=row[4],
            last_completed_at=times.get(row[4]),
            restorable=tuple(made_for.get(row[0], ())),
        )
        for row in rows
    ]


def _read_page(
    connection: sa.Connection,
    where: Sequence[sa.ColumnElement[bool]],
    *,
    offset: int,
    limit: int,
    after: int = 0,
) -> tuple[int, list[Backup]]:
    query = sa.select(backups).where(*where).order_by(backups.c.id.desc()).offset(offset).limit(limit)
    if after:
        query = query.where(comes_after([(backups.c.id, True, after)]))
    # Without `after`: the total is that of the list, wherever the page begins.
    count = sa.select(sa.func.count()).select_from(backups).where(*where)
    total = int(connection.execute(count).scalar_one())
    return total, attach_copies(connection, [backup_of_row(row) for row in connection.execute(query)])


def _where_wanted(wanted: BackupFilter) -> list[sa.ColumnElement[bool]]:
    names = ("owner_id", "app_id", "status", "policy_id", "storage", "host_id", "protected")
    values = {name: getattr(wanted, name) for name in names}
    where: list[sa.ColumnElement[bool]] = [
        backups.c[name] == value for name, value in values.items() if value is not None
    ]
    if wanted.app_removed is not None:
        is_there = backups.c.app_removed_at.is_(None)
        where.append(~is_there if wanted.app_removed else is_there)
    return where if wanted.since is None else [*where, backups.c.created_at >= wanted.since]


def _where_app(is_owned: bool) -> list[sa.ColumnElement[bool]]:
    where = [backups.c.app_id == sa.bindparam("app")]
    return [*where, backups.c.owner_id == sa.bindparam("owner")] if is_owned else where


@cache
def _stats_query(is_owned: bool) -> Query:
    size = sa.func.coalesce(sa.func.sum(backups.c.size), 0)
    query = sa.select(backups.c.status, sa.func.count(), size).where(*_where_app(is_owned))
    return Query(query.group_by(backups.c.status))


@cache
def _page_query(is_owned: bool, *, has_after: bool = False, size: int | None = None) -> Query:
    """Return the query of a page; of the first one where it has a size."""
    where = _where_app(is_owned)
    total = sa.select(sa.func.count()).select_from(backups).where(*where).scalar_subquery()
    columns = (backups.c.id, backups.c.updated_at, backups.c.status, backups.c.progress)
    query = sa.select(total, *columns).where(*where).order_by(backups.c.id.desc())
    if has_after:
        query = query.where(comes_after([(backups.c.id, True, sa.bindparam("after", type_=sa.Integer))]))
    if size is not None:
        return Query(query.limit(sa.literal_column(str(size), sa.Integer)))
    return Query(query.limit(sa.bindparam("limit")).offset(sa.bindparam("offset")))
