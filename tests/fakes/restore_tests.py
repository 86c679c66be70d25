"""Restore tests in memory: the state that `FakeContainers` adds its RPCs to."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from services.clients.inventory.restore_tests import (
    Contents,
    ReservedTest,
    RestoreTestOrder,
    RestoreTestPlaces,
    RestoreTestPlan,
)
from services.clients.inventory.values import Ref, Task
from services.common.core.errors import NotFoundError, PreconditionError
from tests.fakes.archives import FakeArchives
from tests.fakes.tasks import busy


class FakeRestoreTests(FakeArchives):
    """Restore tests of archives.

    Attributes:
        contents: what is in running containers, by id; those of test containers are the `restored` ones.
        restored: what is in a test container.
        ages: seconds for which ids are reserved, by owner.
        places: where tests were planned.
        isolated: the bridge that is isolated.
        races: how often somebody takes an id between its reservation and the restore.
    """

    def __init__(self) -> None:
        super().__init__()
        self.contents = Contents()
        self.restored: Contents | None = None
        self.reserved: dict[str, int] = {}
        self.ages: dict[str, int] = {}
        self.races = 0
        self.isolated = "vmbr9"
        self.places: list[RestoreTestOrder] = []

    async def plan_restore_test(self, order: RestoreTestOrder) -> RestoreTestPlan:
        self.call("plan_restore_test")
        if order.archive not in self.archives:
            raise NotFoundError(f"there is no archive {order.archive}")
        self.places.append(order)
        return RestoreTestPlan(
            node=order.node or "pve1", storage=order.storage or "local", bridge=order.bridge
        )

    async def check_restore_test_place(self, *, bridge: str, storage: str) -> RestoreTestPlaces:
        self.call("check_restore_test_place")
        return RestoreTestPlaces(
            bridge_nodes=("pve/pve1",) if bridge == self.isolated else (),
            storage_nodes=("pve/pve1",) if storage == "local" else (),
            bridge_problems=() if bridge == self.isolated else (f"node pve1 has no bridge {bridge}",),
        )

    async def restore_test_container(
        self, ref: Ref, *, owner: str, archive: str, storage: str, bridge: str = ""
    ) -> Task:
        self.call("restore_test_container")
        if ref.vmid in self.wrecks:
            raise busy("CREATION_BROKEN", f"a restore of container {ref.vmid} was broken off")
        if self.races:
            self.races -= 1
            raise busy("VMID_TAKEN", f"the container id {ref.vmid} is taken")
        if ref.vmid in self.containers:
            self.own(ref, owner)
            return Task(ref.host_id, ref.node, "")
        if self.reserved.get(owner) != ref.vmid:
            raise busy("VMID_TAKEN", f"the container id {ref.vmid} is not reserved for {owner}")
        if "vzrestore" not in self.failing:
            self.put_back(ref, self.archives[archive])
            made = dataclasses.replace(
                self.containers[ref.vmid], vmid=ref.vmid, node=ref.node, owner=owner, name="restore-test"
            )
            self.containers[ref.vmid] = made
        task = self.begin("vzrestore", ref)
        self.lose("vzrestore")
        return task

    async def list_restore_tests(self) -> Sequence[ReservedTest]:
        self.call("list_restore_tests")
        return [
            ReservedTest(1, vmid, owner, self.ages.get(owner, 0))
            for owner, vmid in self.reserved.items()
            if owner.startswith("restore-test:")
        ]

    async def inspect_contents(self, ref: Ref, *, owner: str) -> Contents:
        self.call("inspect_contents")
        if self.own(ref, owner).status != "running":
            error = PreconditionError(f"container {ref.vmid} does not run")
            error.reason = "CONTAINER_STOPPED"  # type: ignore[misc]  # as the wire brings it
            raise error
        is_test = owner.startswith("restore-test:")
        return self.restored if is_test and self.restored is not None else self.contents
