"""Runs of policies: what they did for each app."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from proximity.backups.v1 import events_pb2

from services.backups.domain.entities import GOOD, Backup
from services.backups.domain.policies import PolicyRun
from services.backups.domain.policy_store import RunKey
from services.backups.store.rows import backup_of_row, where_broken
from services.backups.store.tables import backups, operations, outbox, policy_runs
from services.backups.workflows import create_backup
from services.common.db.database import Database, insert_ignore
from services.common.messaging.outbox import add_messages, new_message

BACKUP_OVERDUE = "events.backups.v1.backup_overdue"


class SqlPolicyRuns:
    """Runs of policies in SQLite or PostgreSQL; implements `PolicyRuns`."""

    _db: Database
    _on_message: Callable[[], None]

    async def list_runs(self) -> dict[RunKey, PolicyRun]:
        """See `PolicyRuns.list_runs`."""
        return await self._db.read(_read_runs)

    async def find_runs(self, policy_id: int) -> dict[str, PolicyRun]:
        """See `PolicyRuns.find_runs`."""
        query = sa.select(policy_runs).where(policy_runs.c.policy_id == policy_id)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return {row.app_id: _run_of_row(row) for row in rows}

    async def add_runs(self, policy_id: int, app_ids: Collection[str], *, since: datetime) -> None:
        """See `PolicyRuns.add_runs`."""
        keys = [(policy_id, app_id) for app_id in app_ids]
        if keys:
            await self._db.write(lambda connection: _add_runs(connection, keys, since=since))

    async def begin_runs(self, covered: Collection[RunKey], *, now: datetime) -> dict[RunKey, PolicyRun]:
        """See `PolicyRuns.begin_runs`."""
        found, covered = await self._db.read(_read_runs), set(covered)
        missing = covered - found.keys()
        gone = {key for key, run in found.items() if key not in covered and run.began_at <= now}
        if not missing and not gone:
            return {key: run for key, run in found.items() if key in covered}

        def write(connection: sa.Connection) -> dict[RunKey, PolicyRun]:
            _add_runs(connection, missing, since=now)
            for key in gone:
                connection.execute(policy_runs.delete().where(*_where_run(*key)))
            return _read_runs(connection)

        written = await self._db.write(write)
        return {key: run for key, run in written.items() if key in covered}

    async def note_run(self, policy_id: int, app_id: str, *, slot: datetime) -> None:
        """See `PolicyRuns.note_run`."""
        change = policy_runs.update().where(*_where_run(policy_id, app_id))
        change = change.values(last_slot=slot, waiting_for="")
        await self._db.write(lambda connection: connection.execute(change))

    async def note_waiting(self, policy_id: int, app_id: str, *, reason: str) -> None:
        """See `PolicyRuns.note_waiting`."""
        where = (*_where_run(policy_id, app_id), policy_runs.c.waiting_for != reason)
        change = policy_runs.update().where(*where).values(waiting_for=reason)
        await self._db.write(lambda connection: connection.execute(change))

    async def note_overdue(self, policy_id: int, app_id: str, *, slot: datetime) -> bool:
        """See `PolicyRuns.note_overdue`."""
        # The condition is part of the update: of several replicas one changes the row, and announces it.
        before = sa.or_(policy_runs.c.overdue_slot.is_(None), policy_runs.c.overdue_slot < slot)
        where = (*_where_run(policy_id, app_id), before)
        change = policy_runs.update().where(*where).values(overdue_slot=slot)

        def write(connection: sa.Connection) -> bool:
            is_new = bool(connection.execute(change).rowcount)
            if is_new:
                event = events_pb2.BackupOverdue(policy_id=policy_id, app_id=app_id)
                event.expected_at.FromDatetime(slot)
                add_messages(connection, outbox, messages=[new_message(BACKUP_OVERDUE, event)])
            return is_new

        is_new = await self._db.write(write)
        if is_new:
            self._on_message()
        return is_new

    async def list_busy_nodes(self) -> set[str]:
        """See `PolicyRuns.list_busy_nodes`."""
        # One that failed makes no archive any more, however long its clean-up waits for a storage that is away. What
        # still runs on the node, Proxmox says.
        makes_one = operations.c.status.not_in(["undoing", "dead"])
        unfinished = (operations.c.kind == create_backup.KIND, operations.c.finished_at.is_(None))
        query = sa.select(operations.c.node).where(*unfinished, makes_one)
        return set(await self._db.read(lambda connection: connection.execute(query).scalars().all()))

    async def list_policy_backups(self, policy_id: int) -> dict[str, list[Backup]]:
        """See `PolicyRuns.list_policy_backups`."""
        where = (backups.c.policy_id == policy_id, backups.c.app_removed_at.is_(None))
        query = sa.select(backups).where(*where).order_by(backups.c.id.desc())
        found: dict[str, list[Backup]] = defaultdict(list)
        for row in await self._db.read(lambda connection: connection.execute(query).all()):
            found[row.app_id].append(backup_of_row(row))
        return found

    async def list_covered(self) -> dict[RunKey, datetime]:
        """See `PolicyRuns.list_covered`."""
        key = (backups.c.policy_id, backups.c.app_id)
        good = backups.c.status.in_([status.value for status in GOOD])
        is_first = backups.c.copy_of.is_(None)  # a copy on a second storage is no run
        ended = (backups.c.policy_id.is_not(None), backups.c.completed_at.is_not(None))
        where = (*ended, good, ~where_broken(), is_first)
        newest = sa.func.max(backups.c.created_at, type_=backups.c.created_at.type)
        query = sa.select(*key, newest).where(*where).group_by(*key)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        return {(policy_id, app_id): created_at for policy_id, app_id, created_at in rows}


def _add_runs(connection: sa.Connection, keys: Collection[RunKey], *, since: datetime) -> None:
    # In one order: replicas that insert the same rows in different orders would lock each other out.
    for policy_id, app_id in sorted(keys):
        values = {"policy_id": policy_id, "app_id": app_id, "began_at": since}
        connection.execute(insert_ignore(policy_runs, connection).values(**values))


def _read_runs(connection: sa.Connection) -> dict[RunKey, PolicyRun]:
    rows = connection.execute(sa.select(policy_runs))
    return {(row.policy_id, row.app_id): _run_of_row(row) for row in rows}


def _run_of_row(row: sa.Row[Any]) -> PolicyRun:
    return PolicyRun(began_at=row.began_at, last_slot=row.last_slot, waiting_for=row.waiting_for)


def _where_run(policy_id: int, app_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return policy_runs.c.policy_id == policy_id, policy_runs.c.app_id == app_id
