"""Backups in memory, of containers in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from services.clients.backups.values import (
    AppBackupCount,
    AppBackups,
    ExportableArchive,
    HeldBackup,
    OverdueRun,
)
from services.common.core.clock import now
from services.common.core.errors import NotFoundError, UnavailableError
from tests.fakes.containers import FakeContainers


class FakeBackups:
    """Backups of `FakeContainers`, made at once; with `error` set they fail."""

    def __init__(self, containers: FakeContainers) -> None:
        self.containers = containers
        self.made: dict[str, HeldBackup] = {}
        self.error = ""
        self.counts: dict[str, AppBackupCount] = {}
        self.down = False
        self.overdue: list[OverdueRun] = []
        self.unfinished: set[str] = set()
        self.policies: dict[str, tuple[str, ...]] = {}

    async def create_held_backup(
        self, app_id: str, operation_id: str, *, notes: str, requested_by: int
    ) -> HeldBackup:
        known = self.made.get(operation_id)
        if known is not None and known.status != "creating":
            return known
        if known is None:  # as slow as one more question
            self.made[operation_id] = HeldBackup(len(self.made) + 1, "creating")
        elif self.error:
            self.made[operation_id] = HeldBackup(known.id, "failed", error=self.error)
        else:
            (vmid,) = (c.vmid for c in self.containers.containers.values() if c.owner == app_id)
            archive = self.containers.archive(vmid)
            self.made[operation_id] = HeldBackup(known.id, "completed", archive=archive)
        return self.made[operation_id]

    async def get_held_backup(self, operation_id: str) -> HeldBackup:
        if operation_id not in self.made:
            raise NotFoundError(f"operation {operation_id} made no backup")
        return self.made[operation_id]

    async def count_backups(
        self, app_ids: Sequence[str], *, operation_ids: Sequence[str] = ()
    ) -> Mapping[str, AppBackupCount]:
        if self.down:
            raise UnavailableError("backups does not answer")
        found = {one for one in operation_ids if one in self.made and self.made[one].status == "completed"}
        return {
            app_id: dataclasses.replace(self.counts[app_id], restorable=frozenset(found))
            for app_id in app_ids
            if app_id in self.counts
        }

    async def find_exportable_backup(self, app_id: str, *, backup_id: int | None = None) -> AppBackups:
        if self.down:
            raise UnavailableError("backups does not answer")
        policies = self.policies.get(app_id, ())
        found = [
            (one, self.containers.archives[one.archive])
            for one in self.made.values()
            if one.status == "completed" and one.archive in self.containers.archives
        ]
        own = [
            (one, packed)
            for one, packed in found
            if packed.container.owner == app_id and backup_id in (None, one.id)
        ]
        if not own and backup_id is not None:
            raise NotFoundError(f"{app_id} has no backup {backup_id}")
        if not own:
            return AppBackups(None, policies)
        one, packed = own[-1]
        listing = packed.listing
        assert listing is not None
        archive = ExportableArchive(
            id=one.id,
            host_id=packed.container.host_id,
            vmid=packed.container.vmid,
            storage=listing.storage,
            volume_id=listing.volume_id,
            file_name=listing.file_name,
            size=listing.size,
            completed_at=listing.created_at or now(),
            left_out=tuple(each.description for each in self.containers.unarchived),
            restore_test="untested",
        )
        return AppBackups(archive, policies)

    async def list_overdue_backups(self) -> Sequence[OverdueRun]:
        if self.down:
            raise UnavailableError("backups does not answer")
        return self.overdue

    async def cancel_holding_operation(self, operation_id: str) -> str:
        return await self.get_holding_operation(operation_id)

    async def get_holding_operation(self, operation_id: str) -> str:
        """An operation that requested no backup is unfinished as long as the test has it in `unfinished`."""
        known = self.made.get(operation_id)
        if known is None:
            return "unfinished" if operation_id in self.unfinished else "unknown"
        return {"creating": "unfinished", "completed": "succeeded"}.get(known.status, "failed")
