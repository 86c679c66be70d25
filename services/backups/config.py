"""Settings of backups."""

from __future__ import annotations

import dataclasses
from datetime import time, timedelta

from services.backups.domain.restore_tests import QuietHours, RestoreTestOptions, parse_hours
from services.common.core.config import setting
from services.common.core.parsing import parse_int
from services.common.operations.queries import OperationSettings


@dataclasses.dataclass(frozen=True, kw_only=True)
class BackupsSettings(OperationSettings):
    """Settings of the server and the worker."""

    concurrency: int = setting(
        "BACKUPS_CONCURRENCY",
        default=16,
        parse=parse_int(1, 200),
        doc="How many backups, restores and deletions one worker carries out at once.",
    )
    restore_test_bridge: str = setting(
        "RESTORE_TEST_BRIDGE",
        default="",
        doc="Isolated bridge (without ports and gateway) that the containers of restore tests get on nodes that have it. "
        "Empty: they have no network.",
    )
    restore_test_storage: str = setting(
        "RESTORE_TEST_STORAGE",
        default="",
        doc="Storage for the volumes of restore tests. Empty: the one with most free space.",
    )
    restore_test_hours: QuietHours = setting(
        "RESTORE_TEST_HOURS",
        # At night: a test takes room and speed from the node that runs people's apps.
        default=QuietHours(time(0), time(6)),
        parse=parse_hours,
        doc="Span of the day, in the time zone of each policy, in which policies have backups tested; 00:00-00:00 for the "
        "whole day. A test that a person requests runs at once.",
    )
    restore_test_minutes: int = setting(
        "RESTORE_TEST_MINUTES",
        default=50,
        parse=parse_int(5, 24 * 60),
        doc="How long a restore test may take before it is broken off, which leaves the backup untested. "
        "What it made is destroyed at most ten minutes later.",
    )

    @property
    def restore_test_options(self) -> RestoreTestOptions:
        """Options of restore tests."""
        return RestoreTestOptions(
            bridge=self.restore_test_bridge,
            storage=self.restore_test_storage,
            hours=self.restore_test_hours,
            limit=timedelta(minutes=self.restore_test_minutes),
        )
