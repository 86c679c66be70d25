"""Inventory as the catalog needs it: `Nodes` over gRPC."""

from __future__ import annotations

from proximity.inventory.v1 import container_service_pb2 as pb
from proximity.inventory.v1.container_service_pb2_grpc import ContainerServiceStub

from services.catalog.domain.interfaces import CatalogPlace
from services.common.core.errors import UnavailableError
from services.common.rpc.client import Clients

_ANSWER_S = 3.0  # a preview is shown without a place rather than late


class RemoteNodes:
    """See `Nodes`; without clients nobody is asked."""

    def __init__(self, clients: Clients | None) -> None:
        self._clients = clients

    async def find_place(self, asked: CatalogPlace, *, memory: int, disk: int, oci: bool) -> CatalogPlace:
        """See `Nodes.find_place`."""
        if self._clients is None:
            raise UnavailableError("inventory is not asked here")
        request = pb.PlaceContainerRequest(
            host_id=asked.host_id, node=asked.node, memory_mb=memory, disk_gb=disk, oci=oci
        )
        found = await self._clients.call(
            "inventory", ContainerServiceStub, "PlaceContainer", request, timeout=_ANSWER_S, retry=False
        )
        message = found.oci_reason if oci and not found.oci else ""
        return CatalogPlace(found.host_id, found.node, message)
