"""Settings of backups."""

from __future__ import annotations

import dataclasses

from services.common.core.config import setting
from services.common.core.parsing import parse_int
from services.common.operations.limits import OperationSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class BackupsSettings(OperationSettings):
    """Settings of the server and the worker."""

    concurrency: int = setting(
        "BACKUPS_CONCURRENCY",
        default=16,
        parse=parse_int(1, 200),
        doc="How many backups, restores and deletions one worker carries out at once.",
    )
