"""Policies and their backups in memory: a backup is made, or fails, as soon as its operation begins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from services.backups.domain.entities import Backup, BackupStatus
from services.backups.domain.errors import BackupNotFoundError, BackupProtectedError
from services.backups.domain.interfaces import BackupKey, NewBackup
from services.backups.domain.policies import BackupPolicy, PolicyRun
from services.backups.domain.policy_limits import PolicyLimits
from services.backups.domain.policy_store import RunKey
from tests.fakes.apps import FakeApps

Fails = Callable[[str, datetime], bool]
Removal = Callable[[Backup], None]


class FakePolicies:
    """The part of `PolicyStore` and `BackupStore` that scheduled work uses.

    Attributes:
        policies: by id.
        backups: by id.
        clock: the time of what happens next.
        fails: whether the backup of an app fails at a time.
        on_removal: called before a backup is removed.
        last_id: id of the newest backup.
        overdue: slots that were announced, by policy and app.
    """

    def __init__(self, apps: FakeApps, *, fails: Fails, on_removal: Removal) -> None:
        self.policies: dict[int, BackupPolicy] = {}
        self.backups: dict[int, Backup] = {}
        self.clock = datetime.min.replace(tzinfo=UTC)
        self.last_id = 0
        self.fails = fails
        self.on_removal = on_removal
        self.overdue: dict[RunKey, list[datetime]] = defaultdict(list)
        self._apps = apps
        self._runs: dict[RunKey, PolicyRun] = {}
        self._waiting: dict[str, int] = {}
        self._of_policy: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._covered: dict[RunKey, datetime] = {}

    async def list_policies(self, *, owner_id: int | None = None) -> Sequence[BackupPolicy]:
        return list(self.policies.values())

    async def get_limits(self) -> PolicyLimits:
        return PolicyLimits()

    async def drop_apps(self, policy_id: int, app_ids: Collection[str]) -> None:
        policy = self.policies[policy_id]
        remaining = tuple(each for each in policy.settings.scope.app_ids if each not in app_ids)
        scope = replace(policy.settings.scope, app_ids=remaining)
        self.policies[policy_id] = replace(policy, settings=replace(policy.settings, scope=scope))

    async def begin_runs(self, covered: Collection[RunKey], *, now: datetime) -> Mapping[RunKey, PolicyRun]:
        wanted = set(covered)
        if self._runs.keys() != wanted:
            newer = {key: run for key, run in self._runs.items() if run.began_at > now}
            self._runs = newer | {key: self._runs.get(key, PolicyRun(began_at=now)) for key in covered}
        return {key: run for key, run in self._runs.items() if key in wanted}

    async def add_runs(self, policy_id: int, app_ids: Collection[str], *, since: datetime) -> None:
        for app_id in app_ids:
            self._runs.setdefault((policy_id, app_id), PolicyRun(began_at=since))

    async def list_runs(self) -> Mapping[RunKey, PolicyRun]:
        return self._runs

    async def note_run(self, policy_id: int, app_id: str, *, slot: datetime) -> None:
        key = (policy_id, app_id)
        self._runs[key] = replace(self._runs[key], last_slot=slot, waiting_for="")

    async def note_waiting(self, policy_id: int, app_id: str, *, reason: str) -> None:
        key = (policy_id, app_id)
        self._runs[key] = replace(self._runs[key], waiting_for=reason)

    async def note_overdue(self, policy_id: int, app_id: str, *, slot: datetime) -> bool:
        announced = self.overdue[policy_id, app_id]
        if announced and announced[-1] >= slot:
            return False
        announced.append(slot)
        return True

    async def list_busy_nodes(self) -> Collection[str]:
        return ()

    async def list_policy_backups(self, policy_id: int) -> Mapping[str, Sequence[Backup]]:
        return {
            app_id: [self.backups[each] for each in reversed(ids)]
            for app_id, ids in self._of_policy[policy_id].items()
        }

    async def list_covered(self) -> Mapping[RunKey, datetime]:
        return self._covered

    async def add_backup(self, new: NewBackup) -> Backup:
        backup = self.add(new.app.app_id, policy_id=new.policy_id, mark=new.operation_id)
        self._waiting[new.operation_id] = backup.id
        return backup

    def add(self, app_id: str, *, policy_id: int | None = None, mark: str = "") -> Backup:
        """Have a backup that is being made."""
        app = self._apps.apps[app_id]
        self.last_id += 1
        backup = Backup(
            id=self.last_id,
            app_id=app_id,
            owner_id=app.owner_id,
            host_id=app.host_id,
            vmid=app.vmid,
            order=self.policies[policy_id or next(iter(self.policies))].settings.order,
            mark=mark,
            status=BackupStatus.CREATING,
            created_at=self.clock,
            updated_at=self.clock,
            policy_id=policy_id,
        )
        self.backups[backup.id] = backup
        if policy_id is not None:
            self._of_policy[policy_id][app_id].append(backup.id)
        return backup

    def find_newest(self, policy_id: int, app_id: str) -> Backup | None:
        """Return the newest completed backup that a policy made of an app."""
        made = (self.backups[each] for each in reversed(self._of_policy[policy_id][app_id]))
        return next((one for one in made if one.status is BackupStatus.COMPLETED), None)

    def complete(self, backup: Backup) -> None:
        """Have a backup completed."""
        done = replace(
            backup, status=BackupStatus.COMPLETED, completed_at=self.clock, volume_id=f"nas:{backup.id}"
        )
        self.backups[backup.id] = done
        if backup.policy_id is not None:
            self._covered[backup.policy_id, backup.app_id] = backup.created_at

    async def is_waiting(self, operation_id: str) -> bool:
        return operation_id in self._waiting

    async def start_operation(self, operation_id: str) -> None:
        backup = self.backups[self._waiting.pop(operation_id)]
        if self.fails(backup.app_id, self.clock):
            self.backups[backup.id] = replace(backup, status=BackupStatus.FAILED, error="vzdump broke")
        else:
            self.complete(backup)
        self._apps.locks.pop(backup.app_id)

    async def withdraw_operation(self, operation_id: str) -> None:
        self._remove(self.backups[self._waiting.pop(operation_id)])

    async def begin_delete(
        self, key: BackupKey, *, operation_id: str, requested_by: int, beside: int | None = None
    ) -> Backup:
        if key.backup_id not in self.backups:
            raise BackupNotFoundError(f"there is no backup {key.backup_id}")
        backup = self.backups[key.backup_id]
        if backup.protected:
            raise BackupProtectedError(f"backup {backup.id} is protected")
        if beside is not None and beside not in self.backups:
            raise BackupNotFoundError(f"there is no backup {beside}")
        self.on_removal(backup)
        self._remove(backup)
        return backup

    def _remove(self, backup: Backup) -> None:
        del self.backups[backup.id]
        if backup.policy_id is not None:
            self._of_policy[backup.policy_id][backup.app_id].remove(backup.id)
