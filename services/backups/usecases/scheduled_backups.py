"""Work of policies: backups that are due, removal by retention, and overdue backups.

Each function may run in several processes at once and may die at any line: a backup takes its operation id from policy,
app and slot, and a removal is begun once because it changes the backup's status.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from services.backups.domain.entities import Backup, BackupStatus
from services.backups.domain.interfaces import BackupKey, NewBackup
from services.backups.domain.policies import BackupPolicy
from services.backups.domain.preconditions import check_backupable
from services.backups.domain.retention import Mark
from services.backups.domain.schedules import find_due_slot
from services.backups.usecases.context import BackupDependencies
from services.backups.usecases.create_backup import lock_and_start
from services.backups.usecases.policies import find_overdue, mark_backups
from services.common.core.errors import BusyError, DomainError, NotFoundError
from services.common.core.log import get_logger

log = get_logger()

_REMOVAL_RETRY = timedelta(hours=1)  # after a storage refused a deletion; an administrator has to look at it


async def start_due_backups(dependencies: BackupDependencies, *, now: datetime) -> int:
    """Begin the backups whose slot has come, at most one on each node, and return how many.

    An app that is busy, or whose node makes another backup, is looked at again at the next call, until half of the time
    to the next slot has passed.
    """
    store, count = dependencies.policies, 0
    busy = set(await store.list_busy_nodes())
    for policy in await store.list_policies():
        if not policy.settings.enabled:
            continue
        schedule = policy.settings.parse_schedule()
        for app_id, run in (await store.begin_runs(policy, now=now)).items():
            slot = find_due_slot(schedule, app_id, after=run.find_start(policy), now=now)
            if slot is None:
                continue
            try:
                count += await _start_backup(dependencies, policy, app_id, slot=slot, busy=busy)
            except NotFoundError:
                await _drop_app(dependencies, policy.id, app_id)
            except DomainError as error:
                log.info("scheduled_backup_waits", app_id=app_id, policy_id=policy.id, error=error.message)
    return count


async def remove_superfluous_backups(dependencies: BackupDependencies, *, now: datetime) -> int:
    """Begin to delete the backups that the retention of their policy does not keep, and return how many.

    Only when the newest backup of the app under the policy succeeded, and after the policy was last changed: a failed run
    removes nothing, and a changed policy can be corrected until its next run.
    """
    count = 0
    for policy in await dependencies.policies.list_policies():
        if not policy.settings.enabled:
            continue
        for app_id in policy.settings.app_ids:
            backups = await dependencies.policies.list_policy_backups(policy.id, app_id)
            if _may_remove(policy, backups):
                marks = mark_backups(policy, backups)
                surplus = [one for one in backups if marks.get(one.id) is Mark.REMOVE]
                count += await _begin_removals(dependencies, surplus, now=now)
    return count


async def announce_overdue_backups(dependencies: BackupDependencies, *, now: datetime) -> int:
    """Announce each backup that is overdue by its schedule, once, and return how many are new."""
    store, count = dependencies.policies, 0
    for policy in await store.list_policies():
        for app_id, run in (await store.begin_runs(policy, now=now)).items():
            backups = await store.list_policy_backups(policy.id, app_id)
            slot = find_overdue(policy, app_id, run=run, backups=backups, now=now)
            if slot is not None and await store.note_overdue(policy.id, app_id, slot=slot):
                log.warning("backup_overdue", app_id=app_id, policy_id=policy.id, slot=slot.isoformat())
                count += 1
    return count


async def _start_backup(
    dependencies: BackupDependencies, policy: BackupPolicy, app_id: str, *, slot: datetime, busy: set[str]
) -> bool:
    app = await dependencies.apps.get_app_hold(app_id, user_id=None)
    check_backupable(app)
    node = f"{app.host_id}/{app.node}"
    if node in busy:
        return False
    operation_id = hashlib.sha256(f"{policy.id}/{app_id}/{slot.isoformat()}".encode()).hexdigest()[:32]
    order = replace(policy.settings.order, notes=f"Policy {policy.settings.name}")
    new = NewBackup(operation_id, app, order, app.owner_id, policy_id=policy.id)
    await dependencies.store.add_backup(new)
    busy.add(node)
    await lock_and_start(dependencies, operation_id, app_id=app_id, kind="backup", user=None)
    await dependencies.policies.note_run(policy.id, app_id, slot=slot)
    return True


async def _drop_app(dependencies: BackupDependencies, policy_id: int, app_id: str) -> None:
    """Take an app that was deleted out of a policy, which would count it as overdue for ever."""
    policy = await dependencies.policies.get_policy(policy_id)
    remaining = tuple(each for each in policy.settings.app_ids if each != app_id)
    await dependencies.policies.update_policy(policy, replace(policy.settings, app_ids=remaining))
    log.info("app_of_policy_removed", app_id=app_id, policy_id=policy_id)


def _may_remove(policy: BackupPolicy, backups: Sequence[Backup]) -> bool:
    if not backups or any(one.is_in_use for one in backups):
        return False
    newest = backups[0]
    return newest.status is BackupStatus.COMPLETED and newest.created_at >= policy.updated_at


async def _begin_removals(
    dependencies: BackupDependencies, backups: Sequence[Backup], *, now: datetime
) -> int:
    count = 0
    for backup in backups:
        if backup.error and now - backup.updated_at < _REMOVAL_RETRY:
            continue
        key = BackupKey(backup.app_id, backup.id, None)
        try:
            await dependencies.store.begin_delete(
                key, operation_id=uuid.uuid4().hex, requested_by=backup.owner_id
            )
        except (BusyError, NotFoundError):
            continue  # protected, restored or deleted meanwhile
        count += 1
    return count
