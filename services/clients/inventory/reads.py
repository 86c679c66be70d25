"""Reads of containers and nodes over gRPC: part of `Containers` of `interface`."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty
from proximity.inventory.v1 import container_service_pb2 as pb

from services.clients.inventory.convert import (
    parse_capacity,
    parse_container,
    parse_defaults,
    parse_history,
    parse_inspection,
    parse_scan,
    parse_targets,
    render_ref,
)
from services.clients.inventory.inspections import Inspected
from services.clients.inventory.metrics import MetricHistory
from services.clients.inventory.migration import MigrationTargets
from services.clients.inventory.restore_test_client import GrpcRestoreTests
from services.clients.inventory.values import Container, Defaults, NodeCapacity, Ref, Scan

_PLACE_S = 10.0  # a person waits for it; hosts that do not answer are left out after 5 s
_DEFAULTS_S = 5.0  # a read of one row
_LIST_S = 60.0  # of every host, with a call a container where addresses are wanted
_BRIEF_S = 3.0  # a caller that waits no longer than this is not helped by a second attempt
# Three commands in the container, after a look at it of 5 s: the gateway waits 15 s for reads.
_INSPECT_S = 9.0
_METRICS_S = 10.0  # a person waits; inventory gives a host 8 s


class GrpcReads(GrpcRestoreTests):
    """Reads of containers, beside archives, tasks and restore tests."""

    async def list_capacity(self) -> list[NodeCapacity]:
        """See `Containers.list_capacity`."""
        answer = await self._call("ListCapacity", Empty(), timeout=_BRIEF_S, retry=False)
        return [parse_capacity(node) for node in answer.nodes]

    async def get_deployment_defaults(self) -> Defaults:
        """See `Containers.get_deployment_defaults`."""
        return parse_defaults(await self._call("GetDeploymentDefaults", Empty(), timeout=_DEFAULTS_S))

    async def get_container(self, ref: Ref, *, timeout: float = 10.0) -> Container:
        """See `Containers.get_container`."""
        request = pb.GetContainerRequest(container=render_ref(ref))
        answer = await self._call("GetContainer", request, timeout=timeout, retry=timeout > _BRIEF_S)
        return parse_container(answer)

    async def list_migration_targets(self, ref: Ref, *, owner: str) -> MigrationTargets:
        """See `Containers.list_migration_targets`."""
        request = pb.GetOwnedContainerRequest(container=render_ref(ref), owner=owner)
        answer = await self._call("ListMigrationTargets", request, timeout=_PLACE_S, retry=False)
        return parse_targets(answer)

    async def get_container_metrics(self, ref: Ref, *, owner: str, timeframe: str) -> MetricHistory:
        """See `Containers.get_container_metrics`."""
        request = pb.GetContainerMetricsRequest(container=render_ref(ref), owner=owner, range=timeframe)
        answer = await self._call("GetContainerMetrics", request, timeout=_METRICS_S, retry=False)
        return parse_history(answer)

    async def find_owned_containers(
        self, owner: str, *, host_id: int, hostname: str, timeout: float = 60.0
    ) -> list[Container]:
        """See `Containers.find_owned_containers`."""
        request = pb.FindOwnedContainersRequest(owner=owner, host_id=host_id, hostname=hostname)
        answer = await self._call("FindOwnedContainers", request, timeout=timeout, retry=timeout > _BRIEF_S)
        return [parse_container(one) for one in answer.containers]

    async def list_containers(
        self,
        host_id: int | None = None,
        *,
        with_addresses: bool = False,
        brief: bool = False,
        timeout: float = _LIST_S,
    ) -> Scan:
        """See `Containers.list_containers`."""
        request = pb.ListContainersRequest(host_id=host_id, with_addresses=with_addresses, brief=brief)
        return parse_scan(await self._call("ListContainers", request, timeout=timeout, retry=not brief))

    async def list_address_conflicts(self, ref: Ref) -> list[str]:
        """See `Containers.list_address_conflicts`."""
        request = pb.GetContainerRequest(container=render_ref(ref))
        return list((await self._call("ListAddressConflicts", request)).conflicts)

    async def inspect_container(self, ref: Ref) -> int | None:
        """See `Containers.inspect_container`."""
        answer = await self._call("InspectContainer", pb.GetContainerRequest(container=render_ref(ref)))
        return int(answer.web_port) if answer.HasField("web_port") else None

    async def read_inspection(self, ref: Ref) -> Inspected:
        """See `Containers.read_inspection`."""
        request = pb.GetContainerRequest(container=render_ref(ref))
        answer = await self._call("InspectContainer", request, timeout=_INSPECT_S, retry=False)
        return parse_inspection(answer)
