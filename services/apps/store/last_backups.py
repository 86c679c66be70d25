"""The newest backup of each app, as the backups service reported last."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import sqlalchemy as sa

from services.apps.domain.changes import BackupState
from services.apps.store.tables import apps, upgrades
from services.clients.backups.values import OverdueRun
from services.common.core.clock import now
from services.common.db.database import Database


class LastBackupRows:
    """Facts about the backups of apps, stored so that lists need no call to their service."""

    _db: Database
    _notify: Callable[[str], None]

    async def list_current_upgrades(self, app_ids: Collection[str]) -> dict[str, str]:
        """Return the ids of the updates that apps owe their versions to, by app, of those whose backup was noted."""
        query = (
            sa.select(upgrades.c.app_id, upgrades.c.id)
            .where(upgrades.c.app_id.in_(app_ids), upgrades.c.status == "current", upgrades.c.archive != "")
            .order_by(upgrades.c.created_at)
        )
        rows = await self._db.read(lambda connection: connection.execute(query).all()) if app_ids else []
        return {row.app_id: row.id for row in rows}

    async def note_backups(self, states: Sequence[BackupState]) -> int:
        """Note the backups of apps, and return for how many of them that changed anything."""
        return await self._db.write(lambda connection: sum(_note(connection, one) for one in states))

    async def note_overdue(self, runs: Sequence[OverdueRun]) -> int:
        """Note which apps have a backup that is overdue, and return for how many apps that changed."""
        columns = (apps.c.id, apps.c.backup_overdue_since, apps.c.backup_overdue_policy)
        query = sa.select(*columns).where(apps.c.backup_overdue_since.is_not(None))
        wanted = {run.app_id: (run.since, run.policy_name) for run in runs}

        def find_changes(connection: sa.Connection) -> dict[str, tuple[datetime | None, str | None]]:
            known = {row[0]: (row[1], row[2]) for row in connection.execute(query)}
            gone: dict[str, tuple[datetime | None, str | None]] = dict.fromkeys(
                known.keys() - wanted, (None, None)
            )
            return gone | {app_id: one for app_id, one in wanted.items() if known.get(app_id) != one}

        def write(connection: sa.Connection) -> int:
            count = 0
            for app_id, (since, policy_name) in find_changes(connection).items():
                change = apps.update().where(apps.c.id == app_id)
                values = {"backup_overdue_since": since, "backup_overdue_policy": policy_name}
                count += connection.execute(change.values(**values, updated_at=now())).rowcount
            return count

        # Most of the time nothing changes: a look without a write transaction.
        return await self._db.write(write) if await self._db.read(find_changes) else 0


def _note(connection: sa.Connection, state: BackupState) -> bool:
    last = state.last
    is_changed = _note_rollback(connection, state)
    values = {
        "last_backup_id": last.id if last else None,
        "last_backup_at": last.completed_at if last else None,
        "last_backup_storage": last.storage if last else "",
    }
    query = apps.update().where(apps.c.id == state.app_id)
    if not is_changed:
        query = query.where(sa.or_(*(apps.c[name].is_distinct_from(value) for name, value in values.items())))
    # The stamp of the app, by which every replica knows that what it has rendered is out of date.
    return bool(connection.execute(query.values(**values, updated_at=now())).rowcount)


def _note_rollback(connection: sa.Connection, state: BackupState) -> bool:
    if not state.upgrade_id:
        return False
    query = upgrades.update().where(
        upgrades.c.id == state.upgrade_id, upgrades.c.archive_gone == state.is_restorable
    )
    return bool(connection.execute(query.values(archive_gone=not state.is_restorable)).rowcount)
