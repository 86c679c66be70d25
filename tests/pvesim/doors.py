"""The ways in: HTTPS and SSH, at an address of its own for every node."""

import asyncio
import ipaddress
import logging
from dataclasses import dataclass, field
from pathlib import Path
from ssl import SSLContext
from typing import Any

from aiohttp import web

from tests.pvesim.consoles import Consoles
from tests.pvesim.control import Control
from tests.pvesim.guest.ssh import SshServer, serve_ssh
from tests.pvesim.model.entities import Node
from tests.pvesim.node_shell import ClusterShell
from tests.pvesim.presets import PASSWORD
from tests.pvesim.server import PREFIX, ApiServer
from tests.pvesim.simulation import Simulation
from tests.pvesim.tls import ensure_certificate

log = logging.getLogger(__name__)
MAX_BODY = 512 << 20
SHUTDOWN_SECONDS = 0.3
KEEPALIVE_SECONDS = 5
MAX_ADDRESSES = 32


@dataclass
class Doors:
    """What listens."""

    host: str
    port: int = 0
    ssh_port: int = 0
    fingerprint: str = ""
    ssh_fingerprint: str = ""
    consoles: Consoles | None = None
    runners: list[web.AppRunner] = field(default_factory=list)
    shells: list[SshServer] = field(default_factory=list)

    async def close(self) -> None:
        """Stop listening."""
        if self.consoles:
            await self.consoles.close()
        await asyncio.gather(*(runner.cleanup() for runner in self.runners))
        for shell in self.shells:
            try:
                await asyncio.wait_for(shell.close(), SHUTDOWN_SECONDS)
            except TimeoutError:
                continue


async def open_doors(simulation: Simulation, folder: Path, host: str, *, port: int, ssh_port: int) -> Doors:
    """Listen for every node: the first at `host`, the others at the addresses after it, ports the same."""
    nodes = [node for node in simulation.cluster.nodes.values() if node.joined]
    consoles = Consoles(simulation)
    doors = Doors(host, port=port, ssh_port=ssh_port, consoles=consoles)
    control = Control(simulation)
    context, doors.fingerprint = ensure_certificate(folder, [node.name for node in nodes])
    for number, node in enumerate(nodes):
        node.fingerprint = doors.fingerprint
        node.address = _find_address(host, number)
        if number and node.address == host:
            continue
        api = ApiServer(simulation, consoles, entry=node.name)
        try:
            await _open_https(api, control, doors, (node, context))
            await _open_ssh(simulation, doors, node, folder=folder, first=number == 0)
        except OSError:
            if number == 0:
                raise
            log.warning("node %s has no address of its own: %s is taken", node.name, node.address)
            node.address = host
    return doors


def _find_address(host: str, number: int) -> str:
    """The address of the n-th node: 127.0.0.1, 127.0.0.2, ... when the host is a loopback address."""
    if not host.startswith("127.") or number >= MAX_ADDRESSES:
        return host
    return str(ipaddress.IPv4Address(host) + number)


async def _open_https(api: ApiServer, control: Control, doors: Doors, at: tuple[Node, SSLContext]) -> None:
    node, context = at
    app = web.Application(client_max_size=MAX_BODY)
    control.add_routes(app)
    app.router.add_route("*", PREFIX, api.handle)
    app.router.add_route("*", PREFIX + "/{path:.*}", api.handle)
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, keepalive_timeout=KEEPALIVE_SECONDS
    )
    await runner.setup()
    site = web.TCPSite(runner, node.address, doors.port, ssl_context=context)
    await site.start()
    doors.port = _find_port(site)
    doors.runners.append(runner)


async def _open_ssh(simulation: Simulation, doors: Doors, node: Node, *, folder: Path, first: bool) -> None:
    shell = ClusterShell(simulation, node.name, everywhere=first)
    keys = folder / "authorized_keys"
    server = await serve_ssh(
        node.address,
        doors.ssh_port,
        host_key_dir=folder,
        users={"root": PASSWORD},
        authorized_keys=keys.read_text().splitlines() if keys.exists() else [],
        node=shell,
    )
    doors.ssh_port = server.port
    doors.ssh_fingerprint = server.fingerprint
    doors.shells.append(server)


def _find_port(site: web.TCPSite) -> int:
    server: Any = site._server
    return int(server.sockets[0].getsockname()[1])
