"""Settings of apps."""

from __future__ import annotations

import dataclasses

from services.common.config import ServiceSettings, parse_int, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class AppsSettings(ServiceSettings):
    """What apps needs to run."""

    worker_concurrency: int = setting(
        "APPS_WORKER_CONCURRENCY",
        default=16,
        parse=parse_int(1, 200),
        doc="How many operations one worker runs at once.",
    )
