"""Repeated work of restore tests: those that policies request, and what crashed ones left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from services.backups.domain.entities import Backup
from services.backups.domain.policies import BackupPolicy, RestoreTesting
from services.backups.domain.restore_tests import QuietHours, RestoreTestStatus
from services.backups.usecases.context import BackupDependencies
from services.backups.usecases.get_backup_settings import get_backup_settings
from services.backups.usecases.scheduled_backups import list_working_policies
from services.backups.usecases.test_backup import begin_test
from services.clients.inventory.restore_tests import TEST_PREFIX
from services.clients.inventory.test_containers import remove_test_container
from services.clients.inventory.values import Ref
from services.common.core.errors import BusyError, DomainError
from services.common.core.log import get_logger
from services.common.operations.model import WaitError

log = get_logger()

_WEEK = timedelta(days=7)  # between the tests of an app under a policy with `weekly`
_RETRY = timedelta(hours=6)  # after a test that could not be carried out: once or twice in a night
_GRACE = timedelta(
    minutes=5
)  # for an operation to undo its test after its limit, before the container is destroyed
_SYSTEM = 0  # the user of what no person requested


async def start_due_tests(dependencies: BackupDependencies, *, now: datetime) -> int:
    """Begin the restore tests that policies request, at most one on each host's node, and return how many.

    Tests run within the quiet hours, in the time zone of the policy. A test that cannot be carried out is noted with its
    reason, and tried again later.
    """
    hours = (await get_backup_settings(dependencies)).hours
    policies = {
        policy.id: policy
        for policy in await list_working_policies(dependencies.policies)
        if _is_due(policy, hours, now=now)
    }
    if not policies:
        return 0
    by_app: dict[tuple[int, str], list[Backup]] = defaultdict(list)
    for backup in await dependencies.tests.list_candidates(list(policies)):
        by_app[backup.policy_id or 0, backup.app_id].append(backup)
    count = 0
    for (policy_id, _), backups in by_app.items():
        chosen = choose_backup(policies[policy_id].settings.test_restore, backups, now=now)
        if chosen is not None:
            count += await _begin(dependencies, chosen)
    return count


def choose_backup(frequency: RestoreTesting, backups: Sequence[Backup], *, now: datetime) -> Backup | None:
    """Choose the backup of an app that is to be tested now, from the completed ones of a policy, newest first.

    With `each`, the newest untested one. With `weekly`, the newest one, unless one was tested within a week.
    """
    # One test of an app at a time: they would compete for the same node's disks.
    if frequency is RestoreTesting.NEVER or any(one.restore_test.is_running for one in backups):
        return None
    ends = [
        one.restore_test.ended_at
        for one in backups
        if one.restore_test.ended_at and one.restore_test.status is not RestoreTestStatus.UNTESTED
    ]
    if frequency is RestoreTesting.WEEKLY and any(now - end < _WEEK for end in ends):
        return None
    untested = [one for one in backups if one.restore_test.status is RestoreTestStatus.UNTESTED]
    chosen = untested[:1] if frequency is RestoreTesting.EACH else backups[:1]
    if not chosen or chosen[0].restore_test.status is not RestoreTestStatus.UNTESTED:
        return None
    # A test that could not be carried out leaves the backup untested, with a time.
    tried = chosen[0].restore_test.ended_at
    return None if tried and now - tried < _RETRY else chosen[0]


async def remove_stale_tests(dependencies: BackupDependencies) -> int:
    """Destroy the test containers whose test has ended or takes too long, and return how many.

    A test destroys its container itself; this finds what a crash left. Only containers under ids that are reserved for a
    test of this platform are destroyed, and only with the marks of that test.
    """
    reserved = await dependencies.containers.list_restore_tests()
    operations = {one.owner: one.owner.removeprefix(TEST_PREFIX) for one in reserved}
    limits = await dependencies.tests.find_limits(list(operations.values())) if reserved else {}
    default = (await get_backup_settings(dependencies)).limit if reserved else timedelta()
    count = 0
    for one in reserved:
        # A worker is at it, or another one will take it up within seconds.
        operation_id = operations[one.owner]
        limit = timedelta(seconds=limits.get(operation_id, 0)) or default
        if operation_id in limits and one.age_s < (limit + _GRACE).total_seconds():
            continue
        try:
            await remove_test_container(dependencies.containers, Ref(one.host_id, one.vmid), owner=one.owner)
        except (DomainError, WaitError) as error:
            log.warning("test_container_left", vmid=one.vmid, owner=one.owner, error=str(error))
            continue
        log.warning("stale_test_removed", vmid=one.vmid, owner=one.owner, age_s=one.age_s)
        count += 1
    return count


def _is_due(policy: BackupPolicy, hours: QuietHours, *, now: datetime) -> bool:
    settings = policy.settings
    if settings.test_restore is RestoreTesting.NEVER:
        return False
    return hours.contain(now, settings.parse_schedule().zone)


async def _begin(dependencies: BackupDependencies, backup: Backup) -> bool:
    try:
        await begin_test(dependencies, backup, requested_by=_SYSTEM)
    except BusyError:
        return False  # another test runs on the node; it is tried again at the next look
    except DomainError as error:
        log.warning("restore_test_impossible", backup_id=backup.id, error=error.message)
        await dependencies.tests.note_untested(backup.id, message=error.message)
        return False
    return True
