"""grpc.health.v1 on a port of its own, without TLS or tokens, for the probes of whoever keeps the process running.

A service answers health checks on its own port too; workers have no other port, and the probes of Kubernetes speak
no TLS. `python -m services.common.process.health` asks the one at HEALTH_LISTEN and ends with 0 when it serves.
"""

from __future__ import annotations

import os
import sys

import grpc
from grpc_health.v1 import _async as aio_health
from grpc_health.v1 import health_pb2, health_pb2_grpc

# The name under which a service says whether what it accepts can be kept and sent on.
STORING = "proximity.storing"
_TIMEOUT_S = 3.0


async def start_health_server(address: str) -> grpc.aio.Server:
    """Serve nothing but health on `address` (host:port), as serving from now on.

    Raises:
        RuntimeError: the address cannot be bound.
    """
    server = grpc.aio.server(maximum_concurrent_rpcs=16)
    servicer = aio_health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(address)
    await server.start()
    await servicer.set("", health_pb2.HealthCheckResponse.SERVING)
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
