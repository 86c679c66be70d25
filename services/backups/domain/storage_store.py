"""Interface of the store of external archives, samples of storages and facts of backups."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from services.backups.domain.statistics import BackupFacts, StorageSample


@dataclass(frozen=True, kw_only=True)
class ExternalArchive:
    """The newest archive of an app's container that the platform did not make; `size` in bytes."""

    app_id: str
    volume_id: str
    storage: str
    size: int
    created_at: datetime


class StorageStore(Protocol):
    """External archives, samples of storages, and facts of backups."""

    async def list_volume_ids(self, host_id: int) -> Collection[str]:
        """List the volume ids of the platform's own backups on a host."""

    async def note_external(self, found: Sequence[ExternalArchive], *, gone: Collection[str]) -> None:
        """Replace the newest external archives of apps, and delete those of the apps in `gone`."""

    async def delete_external(self, *, existing: Collection[str]) -> None:
        """Delete the external archives of apps that do not exist."""

    async def list_external(self, app_ids: Sequence[str]) -> Mapping[str, ExternalArchive]:
        """Return the newest external archives of those of some apps that have one."""

    async def note_samples(self, samples: Sequence[StorageSample]) -> None:
        """Record how full storages are; a later sample of a day replaces an earlier one."""

    async def list_samples(self, *, since: date) -> Sequence[StorageSample]:
        """List samples by storage, oldest first."""

    async def delete_samples(self, *, before: date) -> None:
        """Delete old samples."""

    async def list_facts(self, *, owner_id: int | None) -> Sequence[BackupFacts]:
        """List facts of the completed and failed backups of an owner; None: of all."""
