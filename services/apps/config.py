"""Settings of apps."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

from services.clients.auth.values import Quota
from services.common.core.config import setting
from services.common.core.parsing import parse_int, parse_listen_address
from services.common.operations.queries import OperationSettings


def _parse_quota(text: str) -> int | None:
    """Parse a whole number, or None for `unlimited`."""
    return None if text.strip().lower() == "unlimited" else parse_int(0, 1_000_000_000)(text)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AppsSettings(OperationSettings):
    """Settings of server and worker."""

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
    websocket_listen: str = setting(
        "WEBSOCKET_LISTEN",
        default="",
        parse=parse_listen_address,
        doc="host:port or unix:/path where the gateway reaches the WebSockets of terminals; empty: browsers have none.",
    )
    # By default a user gets half of a host of 64 GB and 64 cores at most.
    quota_apps: int | None = setting(
        "QUOTA_APPS",
        default=20,
        parse=_parse_quota,
        doc="How many apps a user may have, unless an administrator sets another quota; `unlimited`: any number. "
        "Administrators have no limit but one that is set for them.",
    )
    quota_memory: int | None = setting(
        "QUOTA_MEMORY_MB",
        default=32_768,
        parse=_parse_quota,
        doc="Memory of all apps of a user together, MB; `unlimited`: as much as there is.",
    )
    quota_cores: int | None = setting(
        "QUOTA_CORES",
        default=32,
        parse=_parse_quota,
        doc="Cores of all apps of a user together; `unlimited`: as much as there is.",
    )
    quota_disk: int | None = setting(
        "QUOTA_DISK_GB",
        default=500,
        parse=_parse_quota,
        doc="Disk of all apps of a user together, GB; `unlimited`: as much as there is.",
    )

    @property
    def orphan_grace(self) -> timedelta:
        """Time for which orphans must have been seen before they may be destroyed."""
        return timedelta(hours=self.orphan_grace_hours)

    @property
    def default_quota(self) -> Quota:
        """Quota of users for whom no administrator has set one."""
        return Quota(
            apps=self.quota_apps, memory=self.quota_memory, cores=self.quota_cores, disk=self.quota_disk
        )
