"""Backups on the second storage of a policy: another archive of the app, made after the first one.

Proxmox copies no archives between storages, so it is a second vzdump, and a backup of its own: it has its own size, status
and retention, is restored and deleted like any other, and refers to the first one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from services.backups.domain.entities import Backup, BackupStatus
from services.backups.domain.interfaces import NewBackup
from services.backups.usecases.beginnings import lock_and_start
from services.backups.usecases.context import BackupDependencies
from services.backups.usecases.preview_backup_policy import split_copies
from services.backups.usecases.scheduled_backups import (
    CoveredApp,
    find_obstacle,
    list_covered_apps,
    list_nodes,
    render_node,
)
from services.common.core.errors import DomainError, NotFoundError
from services.common.core.log import get_logger

log = get_logger()


async def start_due_copies(dependencies: BackupDependencies, *, now: datetime) -> int:
    """Begin the backups on second storages, at most one on each node, and return how many.

    There is one for the newest backup of each app, once that is completed. A copy that failed is not made again: the next
    run makes another.
    """
    covered = [
        one for one in await list_covered_apps(dependencies, now=now) if one.policy.settings.second_storage
    ]
    if not covered:
        return 0
    count, nodes = 0, await list_nodes(dependencies)
    # One query for each policy, however many apps it has.
    made = {
        policy_id: await dependencies.policies.list_policy_backups(policy_id)
        for policy_id in {one.policy.id for one in covered}
    }
    for one in covered:
        first = _find_uncopied(one, made[one.policy.id].get(one.app.app_id, ()))
        if first is None:
            continue
        try:
            reason = await find_obstacle(one, nodes)
            if not reason:
                await _start_copy(dependencies, one, first=first)
                nodes.obstacles[render_node(one.app)] = f"waiting for the backup of {one.app.name}"
                count += 1
        except NotFoundError:
            continue  # deleted meanwhile
        except DomainError as error:
            log.info("copy_waits", app_id=one.app.app_id, policy_id=one.policy.id, reason=error.message)
    return count


def _find_uncopied(one: CoveredApp, backups: Sequence[Backup]) -> Backup | None:
    """Return the newest backup of an app that is to be made on the second storage too.

    Backups of before the last change of the policy have no copy, as it would have another content than they.
    """
    first, copies = split_copies(backups)
    newest = first[0] if first else None
    if newest is None or newest.status is not BackupStatus.COMPLETED:
        return None
    if newest.created_at < one.policy.updated_at or any(copy.copy_of == newest.id for copy in copies):
        return None
    return newest


async def _start_copy(dependencies: BackupDependencies, one: CoveredApp, *, first: Backup) -> None:
    policy, app = one.policy, one.app
    # The same id in every replica and at every repetition: a copy is made once.
    operation_id = hashlib.sha256(f"{policy.id}/{app.app_id}/copy of {first.id}".encode()).hexdigest()[:32]
    order = replace(
        policy.settings.order,
        storage=policy.settings.second_storage,
        notes=f"Policy {policy.settings.name}, second storage",
    )
    new = NewBackup(operation_id, app, order, app.owner_id, policy_id=policy.id, copy_of=first.id)
    await dependencies.store.add_backup(new)
    await lock_and_start(dependencies, operation_id, app_id=app.app_id, kind="backup", user=None)
