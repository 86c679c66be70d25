"""Work of policies: backups that are due, removal by retention, and overdue backups.

Each function may run in several processes at once and may die at any line: a backup takes its operation id from policy,
app and slot, and a removal is begun once because it changes the backup's status. None of them has a query per app.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.backups.domain.entities import Backup, BackupStatus
from services.backups.domain.interfaces import BackupKey, NewBackup
from services.backups.domain.policies import BackupPolicy, PolicyRun
from services.backups.domain.policy_store import Policies, RunKey
from services.backups.domain.preconditions import check_backupable, describe_running_backup
from services.backups.domain.retention import Mark
from services.backups.domain.schedules import find_due_slot
from services.backups.usecases.beginnings import lock_and_start
from services.backups.usecases.context import BackupDependencies
from services.backups.usecases.preview_backup_policy import find_overdue, mark_backups, split_copies
from services.clients.apps.values import AppHold
from services.common.core.errors import (
    BusyError,
    DomainError,
    NotFoundError,
    PreconditionError,
    UnavailableError,
)
from services.common.core.log import get_logger

log = get_logger()

_FREE = frozenset({"running", "stopped"})  # statuses in which no operation locks an app
_REMOVAL_RETRY = timedelta(hours=1)  # after a storage refused a deletion; an administrator has to look at it
_FAILED_LIFETIME = timedelta(days=7)  # long enough that somebody who looks once a week sees a failure


@dataclass(frozen=True)
class CoveredApp:
    """An app under a policy, and its standing there."""

    policy: BackupPolicy
    app: AppHold
    run: PolicyRun

    @property
    def key(self) -> RunKey:
        """The policy's id and the app's."""
        return self.policy.id, self.app.app_id


async def list_covered_apps(dependencies: BackupDependencies, *, now: datetime) -> list[CoveredApp]:
    """List the apps of the policies that work, by policy name and app id, and record which are new to their policy.

    Apps that were deleted are taken out of the policies that name them, which would count them as overdue for ever.
    """
    store = dependencies.policies
    policies = await list_working_policies(store)
    if not policies:
        # What was recorded of policies that do not work any more ends, so that nothing is overdue later.
        await store.begin_runs((), now=now)
        return []
    apps = await dependencies.apps.list_app_holds()
    await _drop_removed_apps(dependencies, policies, apps=apps)
    covered = {
        (policy.id, app.app_id): (policy, app) for policy in policies for app in apps if policy.covers(app)
    }
    runs = await store.begin_runs(covered.keys(), now=now)
    return [CoveredApp(policy, app, runs[key]) for key, (policy, app) in covered.items() if key in runs]


@dataclass
class Nodes:
    """Nodes (`host/node`) and what holds a backup on them up; empty: nothing."""

    dependencies: BackupDependencies
    obstacles: dict[str, str] = field(default_factory=dict)
    silent: dict[int, str] = field(default_factory=dict)

    async def find_obstacle(self, app: AppHold) -> str:
        """Return what holds up a backup of an app, from one request per node, and one per host that is silent."""
        node = render_node(app)
        if app.host_id in self.silent:
            return self.silent[app.host_id]
        if node not in self.obstacles:
            try:
                running = await self.dependencies.containers.list_running_backups(app.host_id, app.node)
            except UnavailableError as error:
                # Requested once: each further request would wait for the same timeout.
                self.silent[app.host_id] = error.message
                return error.message
            self.obstacles[node] = f"waiting for {describe_running_backup(running[0])}" if running else ""
        return self.obstacles[node]


async def list_nodes(dependencies: BackupDependencies) -> Nodes:
    """Return the nodes, with those on which the platform makes a backup."""
    return Nodes(
        dependencies,
        {
            node: f"waiting for another backup of the platform on node {node.partition('/')[2]}"
            for node in await dependencies.policies.list_busy_nodes()
        },
    )


async def start_due_backups(dependencies: BackupDependencies, *, now: datetime) -> int:
    """Begin the backups whose slot has come, at most one on each node, and return how many.

    An app that is busy, or whose node makes another backup, also one of somebody else, is looked at again at the next
    call, until half of the time to the next slot has passed.
    """
    count, nodes = 0, await list_nodes(dependencies)
    covered = await list_covered_apps(dependencies, now=now)
    # Where a node cannot make all backups before they are too late, each run must not leave out the same ones.
    for one in sorted(covered, key=lambda one: one.run.last_slot or one.run.began_at):
        schedule = one.policy.settings.parse_schedule()
        slot = find_due_slot(schedule, one.app.app_id, after=one.run.find_start(one.policy), now=now)
        if slot is None:
            if one.run.waiting_for:  # its time has passed
                await dependencies.policies.note_waiting(*one.key, reason="")
            continue
        try:
            reason = await find_obstacle(one, nodes)
            if not reason:
                await _start_backup(dependencies, one, slot=slot)
                nodes.obstacles[render_node(one.app)] = (
                    f"waiting for the backup of {one.app.name} on node {one.app.node}"
                )
                count += 1
                continue
        except NotFoundError:
            continue  # deleted meanwhile: it is not listed any more at the next call
        except DomainError as error:
            reason = error.message
        # Written when it changes, not at every look.
        if reason != one.run.waiting_for:
            await dependencies.policies.note_waiting(*one.key, reason=reason)
            log.info("scheduled_backup_waits", app_id=one.app.app_id, policy_id=one.policy.id, reason=reason)
    return count


async def remove_superfluous_backups(dependencies: BackupDependencies, *, now: datetime) -> int:
    """Begin to delete the backups that the retention of their policy does not keep, and return how many.

    Only when the newest backup of the app under the policy succeeded, and after the policy was last changed: a failed run
    removes nothing, and a changed policy can be corrected until its next run. Failed backups go a week after they
    failed, once a later one has succeeded.
    """
    count = 0
    for policy in await list_working_policies(dependencies.policies):
        for backups in (await dependencies.policies.list_policy_backups(policy.id)).values():
            for part in split_copies(backups):
                surplus = _find_surplus(policy, part, now=now)
                count += await _begin_removals(
                    dependencies, surplus, newest=part[0].id if part else 0, now=now
                )
    return count


async def announce_overdue_backups(dependencies: BackupDependencies, *, now: datetime) -> int:
    """Announce each backup that is overdue by its schedule, once, and return how many are new."""
    store, count = dependencies.policies, 0
    good = await store.list_covered()
    for one in await list_covered_apps(dependencies, now=now):
        slot = find_overdue(one.policy, one.app.app_id, run=one.run, covered=good.get(one.key), now=now)
        if slot is not None and await store.note_overdue(*one.key, slot=slot):
            log.warning(
                "backup_overdue", app_id=one.app.app_id, policy_id=one.policy.id, slot=slot.isoformat()
            )
            count += 1
    return count


def render_node(app: AppHold) -> str:
    """Render the node of an app as operations record it."""
    return f"{app.host_id}/{app.node}"


async def find_obstacle(one: CoveredApp, nodes: Nodes) -> str:
    """Return why the backup of an app that is due does not begin now; empty: nothing holds it up."""
    check_backupable(one.app)
    if one.app.status not in _FREE:
        return f"{one.app.name} is {one.app.status}"
    return await nodes.find_obstacle(one.app)


async def list_working_policies(store: Policies) -> list[BackupPolicy]:
    """List the enabled policies; those of users do nothing, and so remove nothing, while users may have none."""
    limits = await store.get_limits()
    return [policy for policy in await store.list_policies() if limits.lets_run(policy)]


async def _start_backup(dependencies: BackupDependencies, one: CoveredApp, *, slot: datetime) -> None:
    policy, app = one.policy, one.app
    # The same id in every replica and after a crash: a slot has one backup.
    operation_id = hashlib.sha256(f"{policy.id}/{app.app_id}/{slot.isoformat()}".encode()).hexdigest()[:32]
    order = replace(policy.settings.order, notes=f"Policy {policy.settings.name}")
    await dependencies.store.add_backup(
        NewBackup(operation_id, app, order, app.owner_id, policy_id=policy.id)
    )
    await lock_and_start(dependencies, operation_id, app_id=app.app_id, kind="backup", user=None)
    await dependencies.policies.note_run(*one.key, slot=slot)


async def _drop_removed_apps(
    dependencies: BackupDependencies, policies: Sequence[BackupPolicy], *, apps: Collection[AppHold]
) -> None:
    existing = {app.app_id for app in apps}
    for policy in policies:
        missing = [app_id for app_id in policy.settings.scope.app_ids if app_id not in existing]
        # An app that is not listed may be hidden by a fault: only what apps knows as deleted is dropped.
        gone = set(await dependencies.apps.find_removed_apps(missing)) if missing else set()
        if gone:
            await dependencies.policies.drop_apps(policy.id, gone)
            log.info("apps_of_policy_removed", app_ids=sorted(gone), policy_id=policy.id)


def _find_surplus(policy: BackupPolicy, backups: Sequence[Backup], *, now: datetime) -> list[Backup]:
    """Find what a policy removes now of the backups of one app on one storage, newest first."""
    if not _may_remove(policy, backups):
        return []
    marks = mark_backups(policy, backups)
    # A test that ends before the removal may make a backup the only one that passed.
    removed = [one for one in backups if marks.get(one.id) is Mark.REMOVE and not one.restore_test.is_running]
    return [*removed, *_list_old_failures(backups, now=now)]


def _may_remove(policy: BackupPolicy, backups: Sequence[Backup]) -> bool:
    # A run under way may fail: until it has ended nothing is surplus.
    if not backups or any(one.is_in_use for one in backups):
        return False
    newest = backups[0]
    # Its check may find it broken: until it has ended, older ones may be all that is left.
    if newest.status is not BackupStatus.COMPLETED or newest.is_broken or newest.archive_check.is_running:
        return False
    return newest.created_at >= policy.updated_at


def _list_old_failures(backups: Sequence[Backup], *, now: datetime) -> Iterator[Backup]:
    """List the failed and broken backups that are removed; the newest of all is known to be good."""
    for one in backups:
        is_old = now - one.created_at >= _FAILED_LIFETIME
        is_broken = (
            one.status is BackupStatus.COMPLETED and one.is_broken and not one.archive_check.is_running
        )
        if (one.status is BackupStatus.FAILED or is_broken) and is_old and not one.protected:
            yield one


async def _begin_removals(
    dependencies: BackupDependencies, backups: Sequence[Backup], *, newest: int, now: datetime
) -> int:
    """Begin to delete backups while `newest` is there, which a person may have deleted since it was read."""
    count = 0
    for backup in backups:
        if backup.error and now - backup.updated_at < _REMOVAL_RETRY:
            continue
        key = BackupKey(backup.app_id, backup.id, None)
        try:
            await dependencies.store.begin_delete(
                key, operation_id=uuid.uuid4().hex, requested_by=backup.owner_id, beside=newest
            )
        except (BusyError, NotFoundError, PreconditionError):
            continue  # protected, restored or deleted meanwhile, or the newest one was
        count += 1
    return count
