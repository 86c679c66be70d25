"""The services of the platform, in one table. Names of processes, ports and the order of a backup derive from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RegisteredService:
    """A service as every other part of the platform has to know it.

    Attributes:
        name: of its package, its key, its certificate, its database schema and its gRPC package.
        grpc_port: TCP port that the others expect it at unless its address is configured.
        has_worker: a second process executes its operations and consumes its jobs.
        has_websockets: its server also answers WebSockets, on a port of its own behind the gateway.
        recovery_rank: services are backed up in ascending order: a reference is copied before its target, so that no copy
            names what it does not contain.
        outside_network: network of Compose through which its `outgoing_process` leaves the platform.
        outside_ports: TCP ports of machines outside the platform that this process connects to.
    """

    name: str
    grpc_port: int
    has_worker: bool
    recovery_rank: int
    has_websockets: bool = False
    outside_network: str = ""
    outside_ports: tuple[int, ...] = ()

    @property
    def processes(self) -> tuple[str, ...]:
        """Names of its server and, if it has one, its worker."""
        return (self.name, f"{self.name}-worker") if self.has_worker else (self.name,)

    @property
    def outgoing_process(self) -> str:
        """Name of the process that connects to machines outside the platform, if one does."""
        return self.processes[-1]


REGISTRY = (
    RegisteredService("auth", 50051, has_worker=False, recovery_rank=5),
    RegisteredService(
        "inventory",
        50052,
        has_worker=False,
        recovery_rank=4,
        outside_network="proxmox",
        outside_ports=(22, 8006),  # SSH and the API of Proxmox hosts
    ),
    RegisteredService("apps", 50053, has_worker=True, recovery_rank=2, has_websockets=True),
    RegisteredService("backups", 50054, has_worker=True, recovery_rank=1),
    RegisteredService(
        "catalog",
        50055,
        has_worker=True,
        recovery_rank=3,
        outside_network="outside",
        outside_ports=(443,),  # sources of catalogs
    ),
)
SERVICES = tuple(each.name for each in REGISTRY)
GATEWAY = "gateway"
PEERS = frozenset({GATEWAY, *SERVICES})  # the names in the certificates of mutual TLS
WORKERS = tuple(each.name for each in REGISTRY if each.has_worker)
WEBSOCKET_SERVICES = tuple(each.name for each in REGISTRY if each.has_websockets)
OUTSIDE_PORTS = {each.outgoing_process: each.outside_ports for each in REGISTRY if each.outside_ports}
PROCESSES = (*SERVICES, *(f"{name}-worker" for name in WORKERS))
RECOVERY_ORDER = tuple(each.name for each in sorted(REGISTRY, key=lambda each: each.recovery_rank))


def default_address(service: str) -> str:
    """Return the address of a service on this machine, `127.0.0.1:50051`."""
    return next(f"127.0.0.1:{each.grpc_port}" for each in REGISTRY if each.name == service)
