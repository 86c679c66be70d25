"""All SQL of apps."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from proximity.apps.v1 import events_pb2
from proximity.common.v1 import operation_pb2

from services.apps.domain.entities import (
    STABLE,
    AddLog,
    AnnounceDeployed,
    App,
    AppEvent,
    AppFilter,
    Begin,
    Change,
    ChangeApp,
    Condition,
    Operation,
    OperationStep,
    RemoveApp,
)
from services.apps.domain.errors import (
    AppBusyError,
    AppNotFoundError,
    ContainerManagedError,
    HostnameTakenError,
    NoFreePortError,
    OperationNotFoundError,
)
from services.apps.tables import (
    app_events,
    apps,
    operation_tables,
    outbox,
    ports,
    schedules,
)
from services.common.clock import now
from services.common.db import Database, insert_ignore
from services.common.operations.model import ClaimedOperation, NewOperation
from services.common.operations.store import add_operation
from services.common.outbox import add_messages, new_message
from services.common.sealing import Sealer

RUN_OPERATION = "jobs.apps.v1.run_operation"
_EVENTS = "events.apps.v1"
_PORTS = (8100, 65_000)
_WELL_KNOWN = frozenset({8443, 8888, 9090, 9443, 11211, 27017, 50000, 60000})
_CHOICE = 64

ops, op_steps = operation_tables.operations, operation_tables.steps
_APP_COLUMNS = frozenset(column.name for column in apps.c)


class SqlAppStore:
    """Apps, ports, events and the operations on them.

    Args:
        notify: called, from a thread, with the id of an app that something happened to.
    """

    def __init__(
        self, db: Database, sealer: Sealer, *, notify: Callable[[str], None] = lambda _app_id: None
    ) -> None:
        self._db = db
        self._sealer = sealer
        self._notify = notify

    # reading

    async def get_app(self, app_id: str, *, owner: int | None = None) -> App:
        """One app.

        Raises:
            AppNotFoundError: there is none, or it is not the owner's.
        """
        query = sa.select(apps).where(apps.c.id == app_id)
        if owner is not None:
            query = query.where(apps.c.owner_id == owner)
        row = await self._db.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise AppNotFoundError(f"there is no app {app_id}")
        return self._app(row)

    async def list_apps(self, wanted: AppFilter, *, page: int, per_page: int) -> tuple[list[App], int]:
        """One page of apps, newest first, and how many there are in all."""
        where = _conditions_of(wanted)
        total = sa.select(sa.func.count()).select_from(apps).where(*where).scalar_subquery()
        query = (
            sa.select(apps, total.label("total"))
            .where(*where)
            .order_by(apps.c.created_at.desc(), apps.c.id.desc())
            .limit(per_page)
            .offset((page - 1) * per_page)
        )
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        if rows or page == 1:
            return [self._app(row) for row in rows], rows[0].total if rows else 0
        return [], int(
            await self._db.read(lambda connection: connection.execute(sa.select(total)).scalar_one())
        )

    async def list_all_apps(self, *, host_id: int | None = None) -> list[App]:
        """Every app, for reconciliation."""
        query = sa.select(apps).where(*_conditions_of(AppFilter(host_id=host_id)))
        return [
            self._app(row) for row in await self._db.read(lambda connection: connection.execute(query).all())
        ]

    async def count_apps(self, *, host_id: int | None = None, revision: str = "") -> int:
        """How many apps there are."""
        where = _conditions_of(AppFilter(host_id=host_id))
        if revision:
            where.append(apps.c.revision == revision)
        query = sa.select(sa.func.count()).select_from(apps).where(*where)
        return int(await self._db.read(lambda connection: connection.execute(query).scalar_one()))

    async def list_events(self, app_id: str, *, after: int, limit: int = 200) -> list[AppEvent]:
        """What happened to an app after an event, in order."""
        query = (
            sa.select(app_events)
            .where(app_events.c.app_id == app_id, app_events.c.id > after)
            .order_by(app_events.c.id)
            .limit(limit)
        )
        return [
            _event(row) for row in await self._db.read(lambda connection: connection.execute(query).all())
        ]

    async def list_logs(self, app_id: str, *, limit: int, level: str = "") -> tuple[list[AppEvent], int]:
        """The newest lines of an app's log, newest first, and how many there are."""
        where = [app_events.c.app_id == app_id, app_events.c.kind == "log"]
        if level:
            where.append(app_events.c.level == level)
        total = sa.select(sa.func.count()).select_from(app_events).where(*where).scalar_subquery()
        query = (
            sa.select(app_events, total.label("total"))
            .where(*where)
            .order_by(app_events.c.id.desc())
            .limit(limit)
        )
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return [_event(row) for row in rows], rows[0].total if rows else 0

    async def find_last_event_id(self, app_id: str) -> int:
        """Id of the newest event of an app, 0 when there is none."""
        query = sa.select(sa.func.max(app_events.c.id)).where(app_events.c.app_id == app_id)
        return int(await self._db.read(lambda connection: connection.execute(query).scalar()) or 0)

    async def find_operation(self, operation_id: str, *, app_id: str | None = None) -> Operation:
        """One operation with its steps.

        Raises:
            OperationNotFoundError: there is none, or it is another app's.
        """
        query = sa.select(ops).where(ops.c.id == operation_id)
        if app_id is not None:
            query = query.where(ops.c.subject == app_id)
        found = await self._db.read(lambda connection: _with_steps(connection, query))
        if not found:
            raise OperationNotFoundError(f"there is no operation {operation_id}")
        return found[0]

    async def get_held_status(self, operation_id: str) -> str:
        """The app's status before an operation that another service carries out."""
        query = sa.select(ops.c.state).where(ops.c.id == operation_id)
        state = await self._db.read(lambda connection: connection.execute(query).scalar_one())
        return str(state.get("previous", "running"))

    async def find_unfinished(self, app_id: str) -> Operation | None:
        """The operation under way on an app."""
        query = sa.select(ops).where(ops.c.subject == app_id, ops.c.finished_at.is_(None))
        found = await self._db.read(lambda connection: _with_steps(connection, query))
        return found[0] if found else None

    async def list_operations(
        self, app_id: str | None, *, page: int, per_page: int, status: str = ""
    ) -> tuple[list[Operation], int]:
        """One page of operations, newest first, and how many there are."""
        where = [ops.c.subject == app_id] if app_id is not None else []
        if status:
            where.append(ops.c.status == status)
        query = sa.select(ops).where(*where).order_by(ops.c.created_at.desc(), ops.c.id)
        query = query.limit(per_page).offset((page - 1) * per_page)
        count = sa.select(sa.func.count()).select_from(ops).where(*where)

        def fn(connection: sa.Connection) -> tuple[list[Operation], int]:
            return _with_steps(connection, query), int(connection.execute(count).scalar_one())

        return await self._db.read(fn)

    async def choose_port(self, host_id: int) -> int:
        """A port that is free on a host now; `add_app` takes it.

        Raises:
            NoFreePortError: every port is taken.
        """
        query = sa.select(ports.c.public_port).where(ports.c.host_id == host_id)
        rows = await self._db.read(lambda connection: connection.execute(query).scalars().all())
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

    # writing

    async def add_app(self, app: App, begin: Begin) -> bool:
        """Add an app, its port and its first operation, and queue it; False when its port was taken meanwhile.

        An operation that is known already is left alone: the request came twice.

        Raises:
            HostnameTakenError, ContainerManagedError: another app has it.
        """
        try:
            return await self._db.write(lambda connection: self._add_app(connection, app, begin))
        except sa.exc.IntegrityError as error:
            if "vmid" in str(error.orig) or "apps_container" in str(error.orig):
                raise ContainerManagedError(
                    f"container {app.vmid} of host {app.host_id} is managed already"
                ) from error
            raise HostnameTakenError(f"hostname {app.hostname} is taken") from error

    async def begin(
        self, app_id: str, begin: Begin, *, values: Mapping[str, Any] | None = None, message: str = ""
    ) -> None:
        """Begin an operation on an app that has none under way.

        Raises:
            AppBusyError: another one is under way.
        """
        try:
            await self._db.write(
                lambda connection: self._begin(connection, app_id, begin, {**(values or {})}, message)
            )
        except sa.exc.IntegrityError as error:
            raise AppBusyError(f"another operation on {app_id} is under way", retry_after=2) from error

    async def change(self, *changes: Change) -> None:
        """Apply changes in one transaction."""

        def fn(connection: sa.Connection) -> None:
            for change in changes:
                self.apply(connection, None, change)

        await self._db.write(fn)

    async def report(self, operation_id: str, values: Mapping[str, Any], *changes: Change) -> bool:
        """Set columns of an unfinished operation that another service carries out; False if there is none."""

        def fn(connection: sa.Connection) -> bool:
            query = ops.update().where(ops.c.id == operation_id, ops.c.held, ops.c.finished_at.is_(None))
            found = connection.execute(query.values(updated_at=now(), **values)).rowcount
            for change in changes if found else ():
                self.apply(connection, None, change)
            return bool(found)

        return await self._db.write(fn)

    async def request_cancel(self, operation_id: str) -> bool:
        """Ask an unfinished operation to stop; False when it has ended or another service carries it out."""
        query = (
            ops.update()
            .where(ops.c.id == operation_id, ops.c.finished_at.is_(None), ops.c.held.is_(False))
            .values(cancel_requested=True, updated_at=now())
        )
        return bool(await self._db.write(lambda connection: connection.execute(query).rowcount))

    async def cancel_overdue(self, *, before: datetime) -> int:
        """Ask every operation of ours recorded before a time to stop, which undoes it; how many there were."""
        overdue = (ops.c.finished_at.is_(None), ops.c.held.is_(False), ops.c.created_at < before)
        query = ops.update().where(*overdue).values(cancel_requested=True, updated_at=now())
        return int(await self._db.write(lambda connection: connection.execute(query).rowcount))

    async def replay(self, operation_id: str) -> bool:
        """Take up an operation again that was given up; False when it was not."""

        def fn(connection: sa.Connection) -> bool:
            query = ops.update().where(ops.c.id == operation_id, ops.c.status == "dead")
            values = {"status": "undoing", "undo_attempts": 0, "not_before": now(), "lease_until": None}
            found = connection.execute(query.values(updated_at=now(), **values)).rowcount
            if found:
                self._wake(connection, operation_id, again=True)
            return bool(found)

        return await self._db.write(fn)

    async def claim_schedule(self, name: str, *, every: timedelta) -> bool:
        """Whether a periodic job is due and now this process's; the first run is one period after the first ask."""
        current = now()

        def fn(connection: sa.Connection) -> bool:
            connection.execute(
                insert_ignore(schedules, connection).values(name=name, next_run_at=current + every)
            )
            query = schedules.update().where(schedules.c.name == name, schedules.c.next_run_at <= current)
            return bool(connection.execute(query.values(next_run_at=current + every)).rowcount)

        return await self._db.write(fn)

    async def prune_events(self, *, before: datetime) -> int:
        """Forget events older than a time; how many there were."""
        query = app_events.delete().where(app_events.c.at < before)
        return int(await self._db.write(lambda connection: connection.execute(query).rowcount))

    # within transactions

    def apply(self, connection: sa.Connection, _operation: ClaimedOperation | None, change: Change) -> None:
        """Apply one change of a workflow; what concerns an app that is gone does nothing."""
        match change:
            case ChangeApp(app_id, values):
                self._change_app(connection, app_id, values)
            case AddLog(app_id, message, level, step):
                self._add_event(connection, app_id, "log", message=message, level=level, step=step)
            case AnnounceDeployed(app_id):
                row = _facts(connection, app_id)
                if row is not None:
                    event = events_pb2.AppDeployed(
                        app_id=app_id, owner_id=row.owner_id, host_id=row.host_id, vmid=row.vmid or 0
                    )
                    add_messages(connection, outbox, [new_message(f"{_EVENTS}.app_deployed", event)])
            case RemoveApp(app_id):
                self._remove(connection, app_id)

    def log(
        self, connection: sa.Connection, operation: ClaimedOperation, level: str, message: str, step: str
    ) -> None:
        """Write a line of an operation into its app's log."""
        if _facts(connection, operation.subject) is not None:
            self._add_event(connection, operation.subject, "log", message=message, level=level, step=step)

    def _add_app(self, connection: sa.Connection, app: App, begin: Begin) -> bool:
        if connection.execute(sa.select(ops.c.id).where(ops.c.id == begin.id)).first() is not None:
            return True
        if app.public_port is not None:
            values = {"host_id": app.host_id, "public_port": app.public_port, "app_id": app.id}
            if not connection.execute(insert_ignore(ports, connection).values(**values)).rowcount:
                return False
        connection.execute(apps.insert().values(**self._row(app)))
        self._add_operation(connection, app.id, begin)
        self._announce_status(connection, app.id, begin.status)
        return True

    def _begin(
        self, connection: sa.Connection, app_id: str, begin: Begin, values: dict[str, Any], message: str
    ) -> None:
        query = apps.update().where(apps.c.id == app_id, apps.c.status.in_(STABLE))
        current = now()
        fields = {"status": begin.status, "state_changed_at": current, "updated_at": current, "error": ""}
        if not connection.execute(query.values(**fields, **self._columns(app_id, values))).rowcount:
            raise AppBusyError(f"another operation on {app_id} is under way", retry_after=2)
        self._add_operation(connection, app_id, begin)
        self._announce_status(connection, app_id, begin.status)
        if message:
            self._add_event(connection, app_id, "log", message=message)

    def _add_operation(self, connection: sa.Connection, app_id: str, begin: Begin) -> None:
        new = NewOperation(
            begin.id,
            app_id,
            begin.kind,
            dict(begin.state),
            begin.steps,
            begin.requested_by,
            held=begin.held,
        )
        add_operation(connection, operation_tables, new)
        if not begin.held:
            self._wake(connection, begin.id)

    def _wake(self, connection: sa.Connection, operation_id: str, *, again: bool = False) -> None:
        job = operation_pb2.RunOperation(operation_id=operation_id)
        message_id = "" if again else operation_id
        add_messages(connection, outbox, [new_message(RUN_OPERATION, job, message_id=message_id)])

    def _change_app(self, connection: sa.Connection, app_id: str, values: Mapping[str, Any]) -> None:
        current = now()
        fields = {**self._columns(app_id, values), "updated_at": current}
        if "public_port" in values and values["public_port"] is None:
            connection.execute(ports.delete().where(ports.c.app_id == app_id))
        status = values.get("status")
        if status is not None:
            fields["state_changed_at"] = current
        if connection.execute(apps.update().where(apps.c.id == app_id).values(**fields)).rowcount and status:
            self._announce_status(connection, app_id, str(status))

    def _remove(self, connection: sa.Connection, app_id: str) -> None:
        row = _facts(connection, app_id)
        if row is None:
            return
        connection.execute(ports.delete().where(ports.c.app_id == app_id))
        connection.execute(app_events.delete().where(app_events.c.app_id == app_id))
        connection.execute(apps.delete().where(apps.c.id == app_id))
        event = events_pb2.AppRemoved(
            app_id=app_id, owner_id=row.owner_id, host_id=row.host_id, vmid=row.vmid or 0, adopted=row.adopted
        )
        add_messages(connection, outbox, [new_message(f"{_EVENTS}.app_removed", event)])
        self._notify(app_id)

    def _announce_status(self, connection: sa.Connection, app_id: str, status: str) -> None:
        self._add_event(connection, app_id, "status", message=status)
        event = events_pb2.AppStatusChanged(app_id=app_id, status=status)
        event.timestamp.FromDatetime(now())
        add_messages(connection, outbox, [new_message(f"{_EVENTS}.app_status_changed", event)])

    def _add_event(
        self,
        connection: sa.Connection,
        app_id: str,
        kind: str,
        *,
        message: str,
        level: str = "info",
        step: str = "",
    ) -> None:
        values = {
            "app_id": app_id,
            "kind": kind,
            "level": level,
            "message": message,
            "step": step,
            "at": now(),
        }
        connection.execute(app_events.insert().values(**values))
        self._notify(app_id)

    def _columns(self, app_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        unknown = set(values) - _APP_COLUMNS
        if unknown:
            raise ValueError(f"apps has no column {', '.join(sorted(unknown))}")
        fields = dict(values)
        if "environment" in fields:
            fields["environment"] = self._seal(app_id, fields["environment"])
        return fields

    def _seal(self, app_id: str, environment: Mapping[str, str]) -> str:
        return self._sealer.seal(json.dumps(dict(environment)), place=f"apps.environment.{app_id}")

    def _row(self, app: App) -> dict[str, Any]:
        row = {column: getattr(app, column) for column in _APP_COLUMNS}
        row["environment"] = self._seal(app.id, app.environment)
        row["config"], row["rendering"] = dict(app.config), dict(app.rendering)
        row["secret_names"], row["conditions"] = list(app.secret_names), render_conditions(app.conditions)
        return row

    def _app(self, row: sa.Row[Any]) -> App:
        values = {name: value for name, value in row._mapping.items() if name in _APP_COLUMNS}  # noqa: SLF001 - SQLAlchemy's public name
        sealed = values["environment"]
        values["environment"] = json.loads(self._sealer.open(sealed, place=f"apps.environment.{row.id}"))
        values["secret_names"] = tuple(values["secret_names"])
        values["conditions"] = tuple(
            Condition(type=item["type"], message=item["message"], since=datetime.fromisoformat(item["since"]))
            for item in values["conditions"]
        )
        return App(**values)


def render_conditions(conditions: Sequence[Condition]) -> list[dict[str, str]]:
    """Conditions as JSON values."""
    return [{"type": c.type, "message": c.message, "since": c.since.isoformat()} for c in conditions]


def _facts(connection: sa.Connection, app_id: str) -> sa.Row[Any] | None:
    query = sa.select(apps.c.owner_id, apps.c.host_id, apps.c.vmid, apps.c.adopted).where(apps.c.id == app_id)
    rows: list[Any] = list(connection.execute(query))
    return rows[0] if rows else None


def _conditions_of(wanted: AppFilter) -> list[sa.ColumnElement[bool]]:
    where: list[sa.ColumnElement[bool]] = []
    if wanted.owner_id is not None:
        where.append(apps.c.owner_id == wanted.owner_id)
    if wanted.status is not None:
        where.append(apps.c.status == wanted.status)
    if wanted.host_id is not None:
        where.append(apps.c.host_id == wanted.host_id)
    if wanted.search:
        where.append(
            apps.c.name.icontains(wanted.search, autoescape=True)
            | apps.c.hostname.icontains(wanted.search, autoescape=True)
        )
    return where


def _event(row: sa.Row[Any]) -> AppEvent:
    return AppEvent(id=row.id, kind=row.kind, level=row.level, message=row.message, step=row.step, at=row.at)


def _with_steps(connection: sa.Connection, query: sa.Select[Any]) -> list[Operation]:
    rows = connection.execute(query).all()
    ids = [row.id for row in rows]
    found: dict[str, list[OperationStep]] = {operation_id: [] for operation_id in ids}
    if ids:
        steps = sa.select(op_steps).where(op_steps.c.operation_id.in_(ids)).order_by(op_steps.c.position)
        for row in connection.execute(steps):
            found[row.operation_id].append(
                OperationStep(
                    name=row.name,
                    description=row.description,
                    status=row.status,
                    attempts=row.attempts,
                    started_at=row.started_at,
                    finished_at=row.finished_at,
                    message=row.message,
                    upids=tuple(row.upids),
                )
            )
    return [_operation(row, found[row.id]) for row in rows]


def _operation(row: sa.Row[Any], steps: Sequence[OperationStep]) -> Operation:
    names = Operation.__dataclass_fields__.keys() - {"app_id", "steps"}
    return Operation(app_id=row.subject, steps=tuple(steps), **{name: getattr(row, name) for name in names})
