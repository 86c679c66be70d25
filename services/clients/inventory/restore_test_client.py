"""Restore tests over gRPC: `RestoreTests` of `restore_tests`."""

from __future__ import annotations

from proximity.inventory.v1 import container_service_pb2 as pb
from proximity.inventory.v1 import restore_test_pb2 as tests_pb

from services.clients.inventory.archives import GrpcArchives
from services.clients.inventory.convert import render_ref
from services.clients.inventory.restore_tests import (
    Contents,
    DockerContainer,
    ReservedTest,
    RestoreTestOrder,
    RestoreTestPlaces,
    RestoreTestPlan,
)
from services.clients.inventory.values import Ref, Task

_PLAN_S = 20.0  # a person waits for it
_CONTENTS_S = 60.0  # Docker lists its containers and images, each with a process


class GrpcRestoreTests(GrpcArchives):
    """Restore tests by way of inventory."""

    async def plan_restore_test(self, order: RestoreTestOrder) -> RestoreTestPlan:
        """See `RestoreTests.plan_restore_test`."""
        request = tests_pb.PlanRestoreTestRequest(
            host_id=order.host_id,
            archive=order.archive,
            node=order.node,
            storage=order.storage,
            bridge=order.bridge,
        )
        plan = await self._call("PlanRestoreTest", request, timeout=_PLAN_S)
        return RestoreTestPlan(
            node=plan.node,
            storage=plan.storage,
            required=plan.required,
            free=plan.free,
            bridge=plan.bridge,
            notes=tuple(plan.notes),
        )

    async def check_restore_test_place(self, *, bridge: str, storage: str) -> RestoreTestPlaces:
        """See `RestoreTests.check_restore_test_place`."""
        request = tests_pb.CheckRestoreTestPlaceRequest(bridge=bridge, storage=storage)
        found = await self._call("CheckRestoreTestPlace", request, timeout=_PLAN_S)
        return RestoreTestPlaces(
            bridge_nodes=tuple(found.bridge_nodes),
            storage_nodes=tuple(found.storage_nodes),
            bridge_problems=tuple(found.bridge_problems),
        )

    async def restore_test_container(
        self, ref: Ref, *, owner: str, archive: str, storage: str, bridge: str = ""
    ) -> Task:
        """See `RestoreTests.restore_test_container`."""
        request = tests_pb.RestoreTestContainerRequest(
            host_id=ref.host_id,
            vmid=ref.vmid,
            node=ref.node,
            owner=owner,
            archive=archive,
            storage=storage,
            bridge=bridge,
        )
        return await self._begin("RestoreTestContainer", request)

    async def list_restore_tests(self) -> list[ReservedTest]:
        """See `RestoreTests.list_restore_tests`."""
        found = await self._call("ListRestoreTests", tests_pb.ListRestoreTestsRequest())
        return [ReservedTest(one.host_id, one.vmid, one.owner, one.age_s) for one in found.tests]

    async def inspect_contents(self, ref: Ref, *, owner: str) -> Contents:
        """See `RestoreTests.inspect_contents`."""
        request = pb.ContainerActionRequest(container=render_ref(ref), owner=owner)
        # A backup waits for it: a Docker that hangs is not waited for twice.
        found = await self._call("InspectContents", request, timeout=_CONTENTS_S, retry=False)
        return _parse_contents(found)


def _parse_contents(found: tests_pb.Contents) -> Contents:
    return Contents(
        has_docker=found.has_docker,
        docker_answers=found.docker_answers,
        containers=tuple(
            DockerContainer(
                name=one.name,
                image=one.image,
                image_id=one.image_id,
                state=one.state,
                exit_code=one.exit_code,
            )
            for one in found.containers
        ),
        images=tuple(found.images),
        folders=tuple((one.name, one.entries) for one in found.folders),
    )
