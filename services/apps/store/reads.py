"""Reading apps, their events and their operations."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from services.apps.domain.entities import App, AppEvent
from services.apps.domain.errors import AppNotFoundError, NoFreePortError
from services.apps.domain.pace import COPYING
from services.apps.domain.stamps import OperationFilter
from services.apps.store.rows import AppRows, parse_event
from services.apps.store.tables import app_events, apps, operation_tables, ports, upgrades
from services.common.core.clock import now
from services.common.core.errors import refuse_after
from services.common.db.database import Database
from services.common.db.queries import Query, RowParser, comes_after
from services.common.operations.model import Operation, OperationNotFoundError
from services.common.operations.queries import OperationLookups, read_operations

_UNFINISHED = ("queued", "running", "waiting", "undoing")  # those that were given up are finished for clients
_PORTS = (8100, 65_000)
_WELL_KNOWN = frozenset({8443, 8888, 9090, 9443, 11211, 27017, 50000, 60000})
_CHOICE = 64  # free ports to choose from at random, so that deployments at once rarely meet
# Of lists of ids: a statement for each, the places left over are filled with the last.
_SIZES = (1, 4, 20, 100)
_ROLLBACK = (
    # Of several updates that are current, the app owes its version to the newest.
    sa.select(sa.case((sa.and_(upgrades.c.archive != "", ~upgrades.c.archive_gone), 1), else_=0))
    .where(upgrades.c.app_id == apps.c.id, upgrades.c.status == "current")
    .order_by(upgrades.c.created_at.desc())
    .limit(1)
    .scalar_subquery()
    .label("rollback")
)
_SELECTED = (*apps.columns.values(), _ROLLBACK)
_PARSER = RowParser(_SELECTED)

ops = operation_tables.operations


class SqlAppReads:
    """Queries of apps, events and operations."""

    def __init__(self, db: Database, rows: AppRows) -> None:
        self._db = db
        self._rows = rows
        self._operations = OperationLookups(db, operation_tables)

    async def get_app(self, app_id: str, *, owner: int | None = None) -> App:
        """Return one app.

        Raises:
            AppNotFoundError: there is none, or it is not the owner's.
        """
        params = {"id": app_id} if owner is None else {"id": app_id, "owner": owner}
        rows = await self._db.fetch(_app_query(owner is not None), params)
        if not rows:
            raise AppNotFoundError(f"there is no app {app_id}")
        return self._rows.parse_app(_PARSER.parse(rows[0]))

    async def get_apps(self, app_ids: Sequence[str]) -> list[App]:
        """Return those of some apps that exist, in any order."""
        if not app_ids:
            return []
        # Sizes are rounded up, so that there are few prepared statements.
        places = next((size for size in _SIZES if size >= len(app_ids)), len(app_ids))
        filled = [*app_ids, *([app_ids[-1]] * (places - len(app_ids)))]
        rows = await self._db.fetch(_apps_query(places), {f"id{n}": each for n, each in enumerate(filled)})
        return [self._rows.parse_app(_PARSER.parse(row)) for row in rows]

    async def list_all_apps(self, *, host_id: int | None = None) -> list[App]:
        """List every app, for reconciliation."""
        query = sa.select(*_SELECTED).where(*_conditions_of(host_id))
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [self._rows.parse_app(row._asdict()) for row in rows]

    async def list_apps_after(self, app_id: str, *, limit: int) -> list[App]:
        """List apps in the order of their ids, after one."""
        query = sa.select(*_SELECTED).where(apps.c.id > app_id).order_by(apps.c.id).limit(limit)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [self._rows.parse_app(row._asdict()) for row in rows]

    async def count_apps(self, *, host_id: int | None = None, revision: str = "") -> int:
        """Count the apps."""
        where = _conditions_of(host_id)
        if revision:
            where.append(apps.c.revision == revision)
        query = sa.select(sa.func.count()).select_from(apps).where(*where)
        return int(await self._db.read(lambda connection: connection.execute(query).scalar_one()))

    async def list_events(self, app_id: str, *, after: int, limit: int = 200) -> list[AppEvent]:
        """List the events of an app after one, in order."""
        query = (
            sa.select(app_events)
            .where(app_events.c.app_id == app_id, app_events.c.id > after)
            .order_by(app_events.c.id)
            .limit(limit)
        )
        return [
            parse_event(row)
            for row in await self._db.read(lambda connection: connection.execute(query).all())
        ]

    async def list_logs(
        self, app_id: str, *, limit: int, level: str = "", before: int | None = None
    ) -> tuple[list[AppEvent], int]:
        """Return the newest lines of an app's log (before the one with an id), newest first, and how many it has."""
        where = [app_events.c.app_id == app_id, app_events.c.kind == "log"]
        if level:
            where.append(app_events.c.level == level)
        total = sa.select(sa.func.count()).select_from(app_events).where(*where)
        page = sa.select(app_events).where(*where).order_by(app_events.c.id.desc()).limit(limit)
        if before is not None:
            page = page.where(app_events.c.id < before)
        rows, count = await self._db.read(
            lambda connection: (connection.execute(page).all(), connection.execute(total).scalar_one())
        )
        return [parse_event(row) for row in rows], int(count)

    async def find_last_event_id(self, app_id: str) -> int:
        """Return the id of the newest event of an app, 0 when there is none."""
        query = sa.select(sa.func.max(app_events.c.id)).where(app_events.c.app_id == app_id)
        return int(await self._db.read(lambda connection: connection.execute(query).scalar()) or 0)

    async def list_touched(self, *, after: int | None) -> tuple[int, dict[str, int]]:
        """Return the id of the newest event of all, and of the newest of each app with events after an id (None: of no app)."""
        newest = sa.func.max(app_events.c.id)
        if after is None:
            query = sa.select(newest)
            return int(await self._db.read(lambda connection: connection.execute(query).scalar()) or 0), {}
        by_app = sa.select(app_events.c.app_id, newest).where(app_events.c.id > after)
        by_app = by_app.group_by(app_events.c.app_id)
        rows = await self._db.read(lambda connection: connection.execute(by_app).all())
        touched = {str(app_id): int(last) for app_id, last in rows}
        return max(touched.values(), default=after), touched

    async def list_existing(self, app_ids: Sequence[str]) -> set[str]:
        """Return those of some ids that are ids of apps."""
        if not app_ids:
            return set()
        query = sa.select(apps.c.id).where(apps.c.id.in_(app_ids))
        return set(await self._db.read(lambda connection: connection.execute(query).scalars().all()))

    async def get_operation(self, operation_id: str, *, app_id: str | None = None) -> Operation:
        """Return one operation with its steps.

        Raises:
            OperationNotFoundError: there is none, or it is another app's.
        """
        wanted = {"id": operation_id} | ({} if app_id is None else {"subject": app_id})
        found, _ = await self._operations.list_operations(wanted, limit=1)
        if not found:
            raise OperationNotFoundError(f"there is no operation {operation_id}")
        return found[0]

    async def get_operation_standing(self, operation_id: str) -> str:
        """Return how far an operation is: unknown, unfinished, succeeded or failed."""
        query = sa.select(ops.c.status, ops.c.finished_at).where(ops.c.id == operation_id)
        row = await self._db.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            return "unknown"
        if row.finished_at is None:
            return "unfinished"
        return "succeeded" if row.status == "succeeded" else "failed"

    async def list_silent_delegations(self, *, seconds: float) -> list[Operation]:
        """List unfinished delegated operations that nothing was reported of for `seconds`."""
        limit = now() - timedelta(seconds=seconds)
        query = sa.select(ops).where(ops.c.delegated, ops.c.finished_at.is_(None), ops.c.updated_at < limit)
        return await self._db.read(
            lambda connection: read_operations(connection, operation_tables, query=query)
        )

    async def get_former_status(self, operation_id: str) -> str:
        """Return the status that the app had before a delegated operation."""
        query = sa.select(ops.c.state).where(ops.c.id == operation_id)
        state = await self._db.read(lambda connection: connection.execute(query).scalar_one())
        return str(state.get("previous", "running"))

    async def find_unfinished(self, app_id: str) -> Operation | None:
        """Return the operation under way on an app, with the time that the last one of its kind took."""
        found, _ = await self._operations.list_operations({"subject": app_id}, limit=1, unfinished=True)
        if not found or found[0].kind not in COPYING:
            return found[0] if found else None
        return dataclasses.replace(found[0], expected_s=await self._find_duration(found[0]))

    async def _find_duration(self, operation: Operation) -> int | None:
        """Return the seconds that the newest successful operation of this kind took, on this app or, of copies, on its source."""
        began = sa.func.coalesce(ops.c.started_at, ops.c.created_at)
        query = sa.select(began.label("began"), ops.c.finished_at).where(
            ops.c.kind == operation.kind, ops.c.status == "succeeded"
        )
        source = ops.c.state["source_app_id"].as_string()

        def read(connection: sa.Connection) -> Any:
            copied = connection.execute(sa.select(source).where(ops.c.id == operation.id)).scalar()
            same = source == copied if copied else ops.c.subject == operation.subject
            newest = query.where(same).order_by(ops.c.created_at.desc()).limit(1)
            return connection.execute(newest).one_or_none()

        row = await self._db.read(read)
        return None if row is None else max(1, int((row.finished_at - row.began).total_seconds()))

    async def list_operations(
        self, app_id: str | None, *, page: int, per_page: int, status: str = ""
    ) -> tuple[list[Operation], int]:
        """Return one page of operations, newest first, and how many there are."""
        wanted = {} if app_id is None else {"subject": app_id}
        wanted |= {"status": status} if status else {}
        return await self._operations.list_operations(wanted, limit=per_page, offset=(page - 1) * per_page)

    async def list_all_operations(
        self, wanted: OperationFilter, *, page: int, per_page: int, after: str = ""
    ) -> tuple[list[Operation], int]:
        """Return one page of the operations that a filter selects, newest first, and how many there are.

        Raises:
            InvalidError: there is no operation `after` that the page begins behind.
        """
        where = _select_operations(wanted)
        query = sa.select(ops).where(*where).order_by(ops.c.created_at.desc(), ops.c.id).limit(per_page)
        count = sa.select(sa.func.count()).select_from(ops).where(*where)

        def read(connection: sa.Connection) -> tuple[list[Operation], int]:
            total = int(connection.execute(count).scalar_one())
            if not after:
                numbered = query.offset((page - 1) * per_page)
                return read_operations(connection, operation_tables, query=numbered), total
            # A filter that it does not fit any more, as it has ended, leaves its place in the order.
            owned = _select_operations(OperationFilter(owner_id=wanted.owner_id))
            position = sa.select(ops.c.created_at).where(ops.c.id == after, *owned)
            created = connection.execute(position).scalar()
            if created is None:
                raise refuse_after(after, kind="operation")
            behind = comes_after([(ops.c.created_at, True, created), (ops.c.id, False, after)])
            return read_operations(connection, operation_tables, query=query.where(behind)), total

        return await self._db.read(read)

    async def choose_port(self, host_id: int) -> int:
        """Choose a port that is free on a host now; `add_app` takes it.

        Raises:
            NoFreePortError: every port is taken.
        """
        query = sa.select(ports.c.public_port).where(ports.c.host_id == host_id)
        rows = await self._db.read(lambda connection: connection.execute(query).scalars().all())
        # Well-known ports of other programs stay free for them.
        taken = _WELL_KNOWN.union(rows)
        free: list[int] = []
        for port in range(*_PORTS):
            if port not in taken:
                free.append(port)
                if len(free) == _CHOICE:
                    break
        if not free:
            raise NoFreePortError(f"every port of host {host_id} is taken")
        return random.choice(free)  # noqa: S311 - so that deployments at once do not meet


@cache
def _app_query(is_owned: bool) -> Query:
    query = sa.select(*_SELECTED).where(apps.c.id == sa.bindparam("id"))
    return Query(query.where(apps.c.owner_id == sa.bindparam("owner")) if is_owned else query)


@cache
def _apps_query(count: int) -> Query:
    return Query(sa.select(*_SELECTED).where(apps.c.id.in_([sa.bindparam(f"id{n}") for n in range(count)])))


def _select_operations(wanted: OperationFilter) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = []
    if wanted.owner_id is not None:
        where.append(ops.c.subject.in_(sa.select(apps.c.id).where(apps.c.owner_id == wanted.owner_id)))
    if wanted.status == "unfinished":
        where.append(ops.c.status.in_(_UNFINISHED))
    elif wanted.status == "failed":
        where.append(ops.c.status.in_(("failed", "dead")))  # clients see those that were given up as failed
    elif wanted.status:
        where.append(ops.c.status == wanted.status)
    if wanted.kind:
        where.append(ops.c.kind == wanted.kind)
    if wanted.app_id:
        where.append(ops.c.subject == wanted.app_id)
    if wanted.since is not None:
        where.append(ops.c.updated_at >= wanted.since)
    return where


def _conditions_of(host_id: int | None) -> list[sa.ColumnElement[bool]]:
    return [] if host_id is None else [apps.c.host_id == host_id]
