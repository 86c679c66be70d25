"""Routes to the SSH servers of nodes: several candidates, the first that connects is used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from services.common.core.errors import DomainError
from services.inventory.domain.errors import ExecUnavailableError, HostUnreachableError
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.domain.ssh_addresses import split_ssh_address
from services.inventory.proxmox.nodes import get_members

_NEXT_AFTER_S = 1.5  # the next candidate begins while one is silent; a handshake over a slow link takes less
_SSH_PORT = 22  # of nodes behind another one: Proxmox itself connects its nodes by this port
T = TypeVar("T")


@dataclass(frozen=True)
class SshRoute:
    """An SSH server; `via` another one where it is not reached directly."""

    address: str
    port: int
    via: SshRoute | None = None

    @property
    def endpoint(self) -> str:
        """The name that its host key is pinned under."""
        own = f"{self.address}:{self.port}"
        return f"{own} via {self.via.endpoint}" if self.via else own

    def __str__(self) -> str:
        """As a person reads it."""
        return self.endpoint


async def list_routes(client: ProxmoxApi, node: str) -> list[SshRoute]:
    """Return the candidates for a node, the preferred one first.

    The address that an administrator set; for the node that answers, the address that the host was registered with; the
    address that the cluster names, which may lead nowhere from here; the same by way of the host's own address, since
    the nodes of a cluster reach each other.
    """
    access = client.access
    own = SshRoute(access.host, access.ssh_port)
    routes: list[SshRoute] = []
    if given := access.ssh_addresses.get(node):
        routes.append(SshRoute(*split_ssh_address(given, default_port=access.ssh_port)))
    members = await get_members(client)
    local, address = members.local, members.addresses.get(node, "")
    if node == local or node not in members.addresses:
        routes.append(own)
    # The cluster's own network may not be reachable from here, so that this is one candidate of several.
    if address:
        direct = SshRoute(address, access.ssh_port)
        routes.append(direct)
        if node != local:
            gate = _find_gate(client, local) or own
            ports = dict.fromkeys((access.ssh_port, _SSH_PORT))
            routes += [SshRoute(address, port, via=gate) for port in ports]
    return list(dict.fromkeys(routes))


def _find_gate(client: ProxmoxApi, local: str) -> SshRoute | None:
    """The set address of the node that answers, where there is one."""
    given = client.access.ssh_addresses.get(local)
    return SshRoute(*split_ssh_address(given, default_port=client.access.ssh_port)) if given else None


async def connect_first(
    routes: Sequence[SshRoute],
    connect: Callable[[SshRoute], Awaitable[T]],
    *,
    node: str,
    close: Callable[[T], None],
) -> T:
    """Connect by the first route that works: the next one begins when one fails, or is silent for a while.

    Raises:
        ExecUnavailableError: none works, and one of them refuses the credentials or shows another host key.
        HostUnreachableError: none works.
    """
    waiting = list(routes)
    running: dict[asyncio.Task[T], SshRoute] = {}
    failures: list[tuple[SshRoute, DomainError]] = []
    try:
        while waiting or running:
            if waiting:
                route = waiting.pop(0)
                running[asyncio.ensure_future(connect(route))] = route
            timeout = _NEXT_AFTER_S if waiting else None
            done, _ = await asyncio.wait(running, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                route = running.pop(task)
                try:
                    return task.result()
                except DomainError as error:
                    failures.append((route, error))
        raise _explain(failures, node)
    finally:
        await _leave(running, close)


async def _leave(running: dict[asyncio.Task[T], SshRoute], close: Callable[[T], None]) -> None:
    """End the attempts that are not needed; one that connected at the last moment is closed."""
    for task in running:
        task.cancel()
    for result in await asyncio.gather(*running, return_exceptions=True):
        if not isinstance(result, BaseException):
            close(result)


def _explain(failures: Sequence[tuple[SshRoute, DomainError]], node: str) -> DomainError:
    """One error for all routes; one that refuses says more than those that are silent."""
    if len(failures) == 1:
        return failures[0][1]
    text = "; ".join(dict.fromkeys(error.message for _, error in failures))
    advice = "set an address that leads to it in ssh_addresses of the host"
    message = f"SSH reaches node {node} by none of {len(failures)} routes ({text}); {advice}"
    if any(isinstance(error, ExecUnavailableError) for _, error in failures):
        return ExecUnavailableError(message)
    return HostUnreachableError(message, retry_after=5)
