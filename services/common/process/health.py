"""grpc.health.v1 on a port of its own, without TLS or tokens, for the probes of a supervisor.

A service answers health checks on its own port too; workers have no other port, and the probes of Kubernetes speak
no TLS. `python -m services.common.process.health` asks the one at HEALTH_LISTEN and ends with 0 when it serves.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

import grpc
from grpc_health.v1 import _async as aio_health
from grpc_health.v1 import health_pb2, health_pb2_grpc

# The name under which a service reports whether it can store and publish what it accepts.
STORING = "proximity.storing"
# The name under which it reports its condition, with the reasons in the trailing metadata REASON where it is not.
CONDITION = "proximity.condition"
REASON = "proximity-reason-bin"  # UTF-8
_LONGEST_REASON = 500  # bytes
_TIMEOUT_S = 3.0  # of one check: shorter than the timeout of the probes in the manifests


class ExplainingHealthServicer(aio_health.HealthServicer):  # type: ignore[misc]  # it has no types
    """grpc.health.v1 with the reason for NOT_SERVING in words.

    Attributes:
        reason: the reason under CONDITION; empty while the service is healthy.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reason = ""

    async def explain(self, reason: str) -> None:
        """Set the reason; an empty one means healthy."""
        self.reason = reason
        serving = health_pb2.HealthCheckResponse
        await self.set(CONDITION, serving.NOT_SERVING if reason else serving.SERVING)

    async def Check(  # noqa: N802 - the RPC's name
        self,
        request: health_pb2.HealthCheckRequest,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> health_pb2.HealthCheckResponse:
        """Answer one check."""
        if self.reason and request.service == CONDITION:
            context.set_trailing_metadata(((REASON, self.reason.encode()[:_LONGEST_REASON]),))
        answer: health_pb2.HealthCheckResponse = await super().Check(request, context)
        return answer


def read_reason(metadata: Iterable[tuple[str, str | bytes]] | None) -> str:
    """The reason that a service gives, from the trailing metadata of a check."""
    found = next((value for name, value in metadata or () if name == REASON), b"")
    return found.decode(errors="replace") if isinstance(found, bytes) else found


async def start_health_server(address: str, *, is_serving: bool = True) -> grpc.aio.Server:
    """Serve nothing but health on `address` (host:port), as serving from now on, or not.

    Raises:
        RuntimeError: the address cannot be bound.
    """
    server = grpc.aio.server(maximum_concurrent_rpcs=16)
    servicer = aio_health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(address)
    await server.start()
    serving = health_pb2.HealthCheckResponse
    await servicer.set("", serving.SERVING if is_serving else serving.NOT_SERVING)
    return server


def is_serving(address: str) -> bool:
    """Ask the health server on `address` (host:port), for 3 seconds at most."""
    host, _, port = address.rpartition(":")
    target = f"{'127.0.0.1' if host in {'0.0.0.0', '[::]', ''} else host}:{port}"  # noqa: S104 - compared, not bound
    with grpc.insecure_channel(target) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(
                health_pb2.HealthCheckRequest(), timeout=_TIMEOUT_S
            )
        except grpc.RpcError:
            return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


if __name__ == "__main__":
    sys.exit(0 if is_serving(os.environ.get("HEALTH_LISTEN", "")) else 1)
