"""Snapshots of containers in memory."""

from __future__ import annotations

from collections.abc import Sequence

from services.clients.inventory.values import (
    Ref,
    Task,
)
from services.common.core.errors import PreconditionError
from tests.fakes.restore_tests import FakeRestoreTests


class FakeSnapshots(FakeRestoreTests):
    """RPCs of snapshots.

    Attributes:
        can_snapshot: whether the storage has snapshots.
    """

    def __init__(self) -> None:
        super().__init__()
        self.can_snapshot = True

    async def snapshot_container(self, ref: Ref, *, owner: str, name: str) -> Task:
        self.own(ref, owner)
        self.call("snapshot_container")
        if not self.can_snapshot:
            raise PreconditionError(f"container {ref.vmid} lies on a storage without snapshots")
        self.snapshots.setdefault((ref.vmid, name), self.pack(ref.vmid))
        return self.begin("vzsnapshot", ref)

    async def rollback_container(self, ref: Ref, *, owner: str, name: str) -> Task:
        self.own(ref, owner)
        self.call("rollback_container")
        if (ref.vmid, name) not in self.snapshots:
            return self.begin("vzrollback", ref, failure=f"snapshot '{name}' does not exist")
        self.put_back(ref, self.snapshots[ref.vmid, name])
        return self.begin("vzrollback", ref)

    async def delete_snapshot(self, ref: Ref, *, owner: str, name: str) -> Task:
        self.own(ref, owner)
        self.call("delete_snapshot")
        self.snapshots.pop((ref.vmid, name), None)
        return self.begin("vzdelsnapshot", ref)

    async def drop_snapshots(self, ref: Ref, *, owner: str, min_age_s: int) -> Sequence[str]:
        self.own(ref, owner)
        self.call("drop_snapshots")
        left = [name for vmid, name in self.snapshots if vmid == ref.vmid and name.startswith("proximity-")]
        for name in left:
            del self.snapshots[ref.vmid, name]
        return left
