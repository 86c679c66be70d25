"""Protobuf <-> domain: restore tests."""

from __future__ import annotations

from collections.abc import Sequence

from proximity.inventory.v1 import restore_test_pb2 as pb

from services.clients.inventory.restore_tests import Contents
from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.restore_tests import ReservedId, RestoreTestPlace


def parse_test_ref(request: pb.RestoreTestContainerRequest) -> ContainerRef:
    """Parse the place of a test container."""
    return ContainerRef(request.host_id, request.vmid, request.node)


def render_plan(plan: RestoreTestPlace) -> pb.RestoreTestPlan:
    """Render where a test can run."""
    return pb.RestoreTestPlan(
        node=plan.node,
        storage=plan.storage,
        required=plan.required,
        free=plan.free,
        bridge=plan.bridge,
        notes=plan.notes,
    )


def render_tests(tests: Sequence[ReservedId]) -> pb.ListRestoreTestsResponse:
    """Render the ids that are reserved for tests."""
    return pb.ListRestoreTestsResponse(
        tests=[
            pb.RestoreTestReservation(host_id=one.host_id, vmid=one.vmid, owner=one.owner, age_s=one.age_s)
            for one in tests
        ]
    )


def render_contents(contents: Contents) -> pb.Contents:
    """Render what is in a container."""
    return pb.Contents(
        has_docker=contents.has_docker,
        docker_answers=contents.docker_answers,
        containers=[
            pb.DockerContainer(
                name=one.name,
                image=one.image,
                image_id=one.image_id,
                state=one.state,
                exit_code=one.exit_code,
            )
            for one in contents.containers
        ],
        images=contents.images,
        folders=[pb.DataFolder(name=name, entries=entries) for name, entries in contents.folders],
    )
