"""CheckBackup: begin a check of the archive of a backup, by request or for a policy."""

from __future__ import annotations

import uuid
from collections import defaultdict
from datetime import datetime

from services.backups.domain.archive_checks import VerifyFrequency, choose_unverified
from services.backups.domain.entities import Backup
from services.backups.domain.interfaces import BackupKey
from services.backups.usecases.context import BackupDependencies, BackupRequester
from services.backups.usecases.get_backup_settings import get_backup_settings
from services.backups.usecases.scheduled_backups import list_working_policies
from services.common.core.errors import DomainError
from services.common.core.log import get_logger

log = get_logger()

_SYSTEM = 0  # the user of what no person requested


async def check_backup(
    dependencies: BackupDependencies, requester: BackupRequester, *, key: BackupKey
) -> Backup:
    """Record a check of the archive of a backup, and let a worker begin.

    Raises:
        BackupNotFoundError: there is none of this owner.
        BackupNotCompletedError: it has no archive.
        BackupInUseError: it is being deleted, or checked already.
        ArchiveGoneError: its archive is gone from the storage.
    """
    return await dependencies.checks.begin_check(
        key, operation_id=requester.request_id, requested_by=requester.user.id
    )


async def start_due_checks(dependencies: BackupDependencies, *, now: datetime) -> int:
    """Begin the checks that policies request, at most one of each app, and return how many.

    They run within the quiet hours of restore tests, in the time zone of the policy.
    """
    hours = (await get_backup_settings(dependencies)).hours
    policies = {
        policy.id: policy
        for policy in await list_working_policies(dependencies.policies)
        if policy.settings.verify is not VerifyFrequency.NEVER
        # Reading archives is as much work for the storage as a restore, and nobody waits for it.
        and hours.contain(now, policy.settings.parse_schedule().zone)
    }
    if not policies:
        return 0
    by_app: dict[tuple[int, str], list[Backup]] = defaultdict(list)
    for backup in await dependencies.checks.list_unverified(list(policies)):
        by_app[backup.policy_id or 0, backup.app_id].append(backup)
    count = 0
    for (policy_id, _), backups in by_app.items():
        chosen = choose_unverified(policies[policy_id].settings.verify, backups, now=now)
        if chosen is None:
            continue
        key = BackupKey(chosen.app_id, chosen.id, None)
        try:
            await dependencies.checks.begin_check(key, operation_id=uuid.uuid4().hex, requested_by=_SYSTEM)
        except DomainError as error:  # deleted or restored since it was listed
            log.info("archive_check_not_begun", backup_id=chosen.id, error=error.message)
        else:
            count += 1
    return count
