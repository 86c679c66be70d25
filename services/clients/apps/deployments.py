"""Planning of deployments over gRPC: `Deployments` of `interface`."""

from __future__ import annotations

from google.protobuf.struct_pb2 import Struct
from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.apps.v1.apps_service_pb2_grpc import AppsInternalServiceStub

from services.clients.apps.values import PlannedDeployment, WantedDeployment
from services.common.core.errors import UnavailableError
from services.common.identity.tokens import User
from services.common.rpc.client import Clients

_PLAN_S = 3.0  # a preview is shown without a place rather than late


class GrpcDeployments:
    """Deployments on the wire; a process without clients has no plans."""

    def __init__(self, clients: Clients | None) -> None:
        self._clients = clients

    async def plan_deployment(self, wanted: WantedDeployment, *, user: User | None) -> PlannedDeployment:
        """See `Deployments.plan_deployment`."""
        if self._clients is None:
            raise UnavailableError("this process has no client of apps")
        config = Struct()
        config.update(dict(wanted.config))
        request = pb.PlanDeploymentRequest(
            catalog_id=wanted.item_id,
            hostname=wanted.hostname,
            config=config,
            environment=wanted.environment,
            node=wanted.node,
            host_id=wanted.host_id,
        )
        found = await self._clients.call(
            "apps",
            AppsInternalServiceStub,
            method="PlanDeployment",
            request=request,
            user=user,
            timeout=_PLAN_S,
            retry=False,
        )
        return PlannedDeployment(
            runtime=found.runtime,
            runtime_reason=found.runtime_reason,
            memory=found.memory,
            cores=found.cores,
            disk_size=found.disk_size,
            swap=found.swap,
            # Without a place there is no host; 0 would name one.
            host_id=found.host_id if found.HasField("host_id") else None,
            node=found.node,
            placement_message=found.placement_message,
            warnings=tuple(found.warnings),
            obstacles=tuple(found.obstacles),
        )
