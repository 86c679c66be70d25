"""Settings of backups that administrators change: what restore tests use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from services.backups.domain.restore_tests import RestoreTestOptions, parse_hours
from services.common.core.parsing import Patch


@dataclass(frozen=True, kw_only=True)
class RestoreTestSettings(Patch):
    """Settings that administrators stored or change; for one that is None, that of the environment counts."""

    bridge: str | None = None
    storage: str | None = None
    hours: str | None = None
    minutes: int | None = None

    def replace_in(self, options: RestoreTestOptions) -> RestoreTestOptions:
        """Return the options of the environment with these in their place."""
        return replace(
            options,
            bridge=options.bridge if self.bridge is None else self.bridge,
            storage=options.storage if self.storage is None else self.storage,
            hours=options.hours if self.hours is None else parse_hours(self.hours),
            limit=options.limit if self.minutes is None else timedelta(minutes=self.minutes),
        )


class BackupSettingsStore(Protocol):
    """The stored settings."""

    async def get_settings(self) -> RestoreTestSettings:
        """Return the stored settings."""

    async def update_settings(self, changes: RestoreTestSettings) -> None:
        """Store the settings that change."""
