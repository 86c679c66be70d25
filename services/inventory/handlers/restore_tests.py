"""RPCs of ContainerService for restore tests, one method each."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from proximity.inventory.v1 import container_service_pb2 as cs
from proximity.inventory.v1 import restore_test_pb2 as pb

from services.common.rpc.call import Call
from services.inventory.convert import containers as convert_containers
from services.inventory.convert import restore_tests as convert
from services.inventory.domain.interfaces import ContainerAccess, HostStore, ProxmoxFleet, VmidStore
from services.inventory.proxmox.containers import ContainerLookup
from services.inventory.usecases.check_restore_test_place import check_restore_test_place
from services.inventory.usecases.inspect_contents import inspect_contents
from services.inventory.usecases.list_restore_tests import list_restore_tests
from services.inventory.usecases.plan_restore_test import plan_restore_test
from services.inventory.usecases.restore_test_container import restore_test_container


class RestoreTestHandlers:
    """The part of ContainerService that restore tests use."""

    _containers: ContainerLookup
    _fleet: ProxmoxFleet
    _hosts: HostStore
    _vmids: VmidStore
    _access: ContainerAccess

    async def plan_restore_test(self, request: pb.PlanRestoreTestRequest, _call: Call) -> pb.RestoreTestPlan:
        plan = await plan_restore_test(
            self._fleet,
            request.host_id,
            archive=request.archive,
            node=request.node,
            storage=request.storage,
            bridge=request.bridge,
        )
        return convert.render_plan(plan)

    async def check_restore_test_place(
        self, request: pb.CheckRestoreTestPlaceRequest, _call: Call
    ) -> pb.RestoreTestPlaceCheck:
        check = await check_restore_test_place(
            self._hosts, self._fleet, bridge=request.bridge, storage=request.storage
        )
        return pb.RestoreTestPlaceCheck(
            bridge_nodes=check.bridge_nodes,
            storage_nodes=check.storage_nodes,
            bridge_problems=check.bridge_problems,
        )

    async def restore_test_container(self, request: pb.RestoreTestContainerRequest, _call: Call) -> cs.Task:
        task = await restore_test_container(
            self._containers,
            convert.parse_test_ref(request),
            owner=request.owner,
            archive=request.archive,
            storage=request.storage,
            bridge=request.bridge,
        )
        return convert_containers.render_task(task)

    async def list_restore_tests(
        self, _: pb.ListRestoreTestsRequest, _call: Call
    ) -> pb.ListRestoreTestsResponse:
        return convert.render_tests(await list_restore_tests(self._vmids))

    async def inspect_contents(self, request: cs.ContainerActionRequest, _call: Call) -> pb.Contents:
        contents = await inspect_contents(
            self._containers,
            self._access,
            ref=convert_containers.parse_ref(request.container),
            owner=request.owner,
        )
        return convert.render_contents(contents)
