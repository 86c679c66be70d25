"""Policies of backups: when an app is backed up, how, and which of the archives stay."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from services.backups.domain.entities import BackupOrder
from services.backups.domain.errors import PolicyHostsError
from services.backups.domain.retention import Retention
from services.backups.domain.schedules import Schedule, parse_schedule

MAX_POLICIES = 100  # read at every look for due runs, each with its apps

_parse = lru_cache(maxsize=2 * MAX_POLICIES)(parse_schedule)


@dataclass(frozen=True, kw_only=True)
class PolicySettings:
    """Settings of a policy that a person chooses.

    Attributes:
        schedule: five-field cron, or hourly, daily, weekly; as it was written.
        time_zone: IANA name; of the schedule and of the periods of the retention.
        window_minutes: the runs of the apps are spread over this time.
        order: mode, compression and storage of each backup.

    Raises:
        ScheduleInvalidError: the schedule or its zone is not valid.
    """

    name: str
    schedule: str
    time_zone: str
    window_minutes: int
    order: BackupOrder
    retention: Retention
    app_ids: tuple[str, ...]
    enabled: bool = True

    def __post_init__(self) -> None:
        self.parse_schedule()

    def parse_schedule(self) -> Schedule:
        """Return the parsed schedule."""
        return _parse(self.schedule, self.time_zone, window=timedelta(minutes=self.window_minutes))

    def runs_as(self, other: PolicySettings) -> bool:
        """Whether both have the same slots, so that a change of one to the other misses none."""
        times = (self.schedule, self.time_zone, self.enabled)
        return times == (other.schedule, other.time_zone, other.enabled)


@dataclass(frozen=True, kw_only=True)
class BackupPolicy:
    """A stored policy.

    Attributes:
        applies_since: slots before it have no run: the policy was made, enabled, or had its times changed then.
    """

    id: int
    settings: PolicySettings
    applies_since: datetime
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, kw_only=True)
class PolicyRun:
    """Standing of an app under a policy.

    Attributes:
        began_at: when the policy began to apply to the app.
        last_slot: the newest slot whose backup was begun; None before the first.
    """

    began_at: datetime
    last_slot: datetime | None = None

    def find_start(self, policy: BackupPolicy) -> datetime:
        """Return the time after which slots are due."""
        return max(policy.applies_since, self.began_at, self.last_slot or self.began_at)


def check_one_host(storage: str, host_ids: Collection[int]) -> None:
    """Refuse a storage for apps of several Proxmox hosts: a name stands for another storage on each.

    Raises:
        PolicyHostsError: naming the hosts.
    """
    if storage and len(set(host_ids)) > 1:
        hosts = ", ".join(str(host_id) for host_id in sorted(set(host_ids)))
        raise PolicyHostsError(
            f"storage {storage!r} cannot be named for apps on the Proxmox hosts {hosts}; leave the storage out, "
            "or make one policy for each host"
        )
