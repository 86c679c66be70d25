"""Settings of backups that administrators change: what restore tests use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from services.backups.domain.restore_tests import RestoreTestOptions, parse_hours


@dataclass(frozen=True, kw_only=True)
class RestoreTestSettings:
    """Settings that administrators stored; None: that of the environment counts."""

    bridge: str | None = None
    storage: str | None = None
    hours: str | None = None

    def apply_to(self, options: RestoreTestOptions) -> RestoreTestOptions:
        """Return the options of the environment with these in their place."""
        return replace(
            options,
            bridge=options.bridge if self.bridge is None else self.bridge,
            storage=options.storage if self.storage is None else self.storage,
            hours=options.hours if self.hours is None else parse_hours(self.hours),
        )


class BackupSettingsStore(Protocol):
    """The stored settings."""

    async def get_settings(self) -> RestoreTestSettings:
        """Return the stored settings."""

    async def update_settings(self, values: Mapping[str, str]) -> None:
        """Store the settings that are named: bridge, storage, hours."""
