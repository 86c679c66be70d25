"""The store of policies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from proximity.backups.v1 import events_pb2

from services.backups.domain.entities import Backup, BackupOrder
from services.backups.domain.errors import PolicyLimitError, PolicyNameTakenError, PolicyNotFoundError
from services.backups.domain.policies import MAX_POLICIES, BackupPolicy, PolicyRun, PolicySettings
from services.backups.domain.retention import Retention
from services.backups.store.rows import backup_of_row
from services.backups.store.tables import backups, operations, outbox, policies, policy_runs
from services.backups.workflows import create_backup
from services.common.core.clock import Clock, now
from services.common.db.database import Database, insert_ignore
from services.common.messaging.outbox import add_messages, new_message

BACKUP_OVERDUE = "events.backups.v1.backup_overdue"


def _do_nothing() -> None:
    """For stores whose messages another process publishes."""


class SqlPolicyStore:
    """Policies in SQLite or PostgreSQL; implements `PolicyStore`."""

    def __init__(
        self, db: Database, *, on_message: Callable[[], None] = _do_nothing, clock: Clock = now
    ) -> None:
        self._db = db
        self._on_message = on_message
        self._clock = clock

    async def list_policies(self) -> list[BackupPolicy]:
        """See `PolicyStore.list_policies`."""
        query = sa.select(policies).order_by(policies.c.name)
        return await self._db.read(
            lambda connection: [_policy_of_row(row) for row in connection.execute(query)]
        )

    async def get_policy(self, policy_id: int) -> BackupPolicy:
        """See `PolicyStore.get_policy`."""
        return await self._db.read(lambda connection: _read_policy(connection, policy_id))

    async def add_policy(self, settings: PolicySettings) -> BackupPolicy:
        """See `PolicyStore.add_policy`."""

        def write(connection: sa.Connection) -> BackupPolicy:
            count = connection.execute(sa.select(sa.func.count()).select_from(policies)).scalar_one()
            if count >= MAX_POLICIES:
                raise PolicyLimitError(
                    f"there are {count} policies, the most that are allowed; delete one first"
                )
            times = dict.fromkeys(("applies_since", "created_at", "updated_at"), self._clock())
            new = policies.insert().values(**_render_settings(settings), **times).returning(policies)
            return _policy_of_row(connection.execute(new).one())

        return await self._write_named(write, settings.name)

    async def update_policy(self, policy: BackupPolicy, settings: PolicySettings) -> BackupPolicy:
        """See `PolicyStore.update_policy`."""

        def write(connection: sa.Connection) -> BackupPolicy:
            values = _render_settings(settings) | {"updated_at": self._clock()}
            if not settings.runs_as(policy.settings):
                values["applies_since"] = self._clock()
            connection.execute(policies.update().where(policies.c.id == policy.id).values(**values))
            gone = (policy_runs.c.policy_id == policy.id, policy_runs.c.app_id.not_in(settings.app_ids))
            connection.execute(policy_runs.delete().where(*gone))
            return _read_policy(connection, policy.id)

        return await self._write_named(write, settings.name)

    async def delete_policy(self, policy_id: int) -> None:
        """See `PolicyStore.delete_policy`."""

        def write(connection: sa.Connection) -> None:
            _read_policy(connection, policy_id)
            connection.execute(policy_runs.delete().where(policy_runs.c.policy_id == policy_id))
            connection.execute(policies.delete().where(policies.c.id == policy_id))

        await self._db.write(write)

    async def begin_runs(self, policy: BackupPolicy, *, now: datetime) -> dict[str, PolicyRun]:
        """See `PolicyStore.begin_runs`."""
        query = sa.select(policy_runs).where(policy_runs.c.policy_id == policy.id)

        def find(connection: sa.Connection) -> dict[str, PolicyRun]:
            rows = connection.execute(query)
            return {row.app_id: PolicyRun(began_at=row.began_at, last_slot=row.last_slot) for row in rows}

        def add(connection: sa.Connection) -> dict[str, PolicyRun]:
            for app_id in policy.settings.app_ids:
                values = {"policy_id": policy.id, "app_id": app_id, "began_at": now}
                connection.execute(insert_ignore(policy_runs, connection).values(**values))
            return find(connection)

        found = await self._db.read(find)
        if not found.keys() >= set(policy.settings.app_ids):
            found = await self._db.write(add)
        return {app_id: found[app_id] for app_id in policy.settings.app_ids if app_id in found}

    async def note_run(self, policy_id: int, app_id: str, *, slot: datetime) -> None:
        """See `PolicyStore.note_run`."""
        change = policy_runs.update().where(*_where_run(policy_id, app_id)).values(last_slot=slot)
        await self._db.write(lambda connection: connection.execute(change))

    async def note_overdue(self, policy_id: int, app_id: str, *, slot: datetime) -> bool:
        """See `PolicyStore.note_overdue`."""
        before = sa.or_(policy_runs.c.overdue_slot.is_(None), policy_runs.c.overdue_slot < slot)
        where = (*_where_run(policy_id, app_id), before)
        change = policy_runs.update().where(*where).values(overdue_slot=slot)

        def write(connection: sa.Connection) -> bool:
            is_new = bool(connection.execute(change).rowcount)
            if is_new:
                event = events_pb2.BackupOverdue(policy_id=policy_id, app_id=app_id)
                event.expected_at.FromDatetime(slot)
                add_messages(connection, outbox, [new_message(BACKUP_OVERDUE, event)])
            return is_new

        is_new = await self._db.write(write)
        if is_new:
            self._on_message()
        return is_new

    async def list_busy_nodes(self) -> set[str]:
        """See `PolicyStore.list_busy_nodes`."""
        unfinished = (operations.c.kind == create_backup.KIND, operations.c.finished_at.is_(None))
        query = sa.select(operations.c.node).where(*unfinished)
        return await self._db.read(lambda connection: set(connection.execute(query).scalars()))

    async def list_policy_backups(self, policy_id: int, app_id: str) -> list[Backup]:
        """See `PolicyStore.list_policy_backups`."""
        where = (
            backups.c.app_id == app_id,
            backups.c.policy_id == policy_id,
            backups.c.app_removed_at.is_(None),
        )
        query = sa.select(backups).where(*where).order_by(backups.c.id.desc())
        return await self._db.read(
            lambda connection: [backup_of_row(row) for row in connection.execute(query)]
        )

    async def _write_named(self, write: Callable[[sa.Connection], BackupPolicy], name: str) -> BackupPolicy:
        try:
            return await self._db.write(write)
        except sa.exc.IntegrityError as error:
            raise PolicyNameTakenError(f"there is a policy {name!r} already; choose another name") from error


def _where_run(policy_id: int, app_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return policy_runs.c.policy_id == policy_id, policy_runs.c.app_id == app_id


def _read_policy(connection: sa.Connection, policy_id: int) -> BackupPolicy:
    row = connection.execute(sa.select(policies).where(policies.c.id == policy_id)).one_or_none()
    if row is None:
        raise PolicyNotFoundError(f"there is no policy {policy_id}")
    return _policy_of_row(row)


def _render_settings(settings: PolicySettings) -> dict[str, Any]:
    order = settings.order
    return {
        "name": settings.name,
        "schedule": settings.schedule,
        "time_zone": settings.time_zone,
        "window_minutes": settings.window_minutes,
        "backup_type": order.backup_type,
        "compression": order.compression,
        "wanted_storage": order.storage,
        "retention": asdict(settings.retention),
        "app_ids": list(settings.app_ids),
        "enabled": settings.enabled,
    }


def _policy_of_row(row: sa.Row[Any]) -> BackupPolicy:
    settings = PolicySettings(
        name=row.name,
        schedule=row.schedule,
        time_zone=row.time_zone,
        window_minutes=row.window_minutes,
        order=BackupOrder(
            backup_type=row.backup_type, compression=row.compression, storage=row.wanted_storage
        ),
        retention=Retention(**row.retention),
        app_ids=tuple(row.app_ids),
        enabled=row.enabled,
    )
    return BackupPolicy(
        id=row.id,
        settings=settings,
        applies_since=row.applies_since,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
