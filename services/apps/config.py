"""Settings of apps."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

from services.apps.domain.quotas import Quota
from services.common.config import parse_int, setting
from services.common.operations.settings import OperationSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class AppsSettings(OperationSettings):
    """What apps needs to run."""

    worker_concurrency: int = setting(
        "APPS_WORKER_CONCURRENCY",
        default=16,
        parse=parse_int(1, 200),
        doc="How many operations one worker runs at once.",
    )
    orphan_grace_hours: int = setting(
        "ORPHAN_GRACE_HOURS",
        default=24,
        parse=parse_int(0, 8760),
        doc="How long a container with our mark and without an app must have been seen before an administrator may "
        "have it destroyed.",
    )
    quota_apps: int | None = setting(
        "QUOTA_APPS",
        default=None,
        parse=parse_int(0, 1_000_000_000),
        doc="How many apps a user may have, unless an administrator sets another quota; empty: no limit.",
    )
    quota_memory: int | None = setting(
        "QUOTA_MEMORY_MB",
        default=None,
        parse=parse_int(0, 1_000_000_000),
        doc="Memory of all apps of a user together, MB; empty: no limit.",
    )
    quota_cores: int | None = setting(
        "QUOTA_CORES",
        default=None,
        parse=parse_int(0, 1_000_000_000),
        doc="Cores of all apps of a user together; empty: no limit.",
    )
    quota_disk: int | None = setting(
        "QUOTA_DISK_GB",
        default=None,
        parse=parse_int(0, 1_000_000_000),
        doc="Disk of all apps of a user together, GB; empty: no limit.",
    )

    @property
    def orphan_grace(self) -> timedelta:
        """How long orphans must have been seen."""
        return timedelta(hours=self.orphan_grace_hours)

    @property
    def default_quota(self) -> Quota:
        """The quota of users for whom no administrator said anything."""
        return Quota(
            apps=self.quota_apps, memory=self.quota_memory, cores=self.quota_cores, disk=self.quota_disk
        )
