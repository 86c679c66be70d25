"""Access to containers: by SSH where the host's credentials allow it, else by the console of its API, else none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from services.common.core.errors import DomainError
from services.inventory.domain.access import CommandOutput, ExecRoute
from services.inventory.domain.containers import View
from services.inventory.domain.errors import (
    ContainerLockedError,
    ExecHungError,
    ExecUnavailableError,
    HostUnreachableError,
    ProxmoxRefusedError,
)
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.proxmox.console_shell import login_needed
from services.inventory.proxmox.consoles import Consoles
from services.inventory.proxmox.nodes import get_members
from services.inventory.proxmox.privileges import CONSOLE, PULL, list_granted
from services.inventory.proxmox.scripts import render_write
from services.inventory.proxmox.ssh import Shells

_PUSH_S = 60.0  # for one file, of some MiB at most
_UNLOCK_S = 20.0  # `pct unlock` waits 10 s for the lock of the configuration
_MOST_OUTPUT = 256 * 1024  # characters: containers are not trusted, and may print without end
_MEMORY_S = 300.0  # how long a route counts before it is tried again
_RETRY_S = 30.0  # the same where SSH may be back soon
_PARALLEL = 8  # nodes of a host that are tried at once


def describe_lock(view: View) -> str:
    """Describe what a person has to do about the lock that a creation left."""
    command = f"pct unlock {view.vmid}"
    return f"container {view.vmid} is locked ({view.lock}); run `{command}` on {view.node}, then it goes on by itself"


async def _collect(pieces: AsyncIterator[str | int]) -> CommandOutput:
    """Return the exit status of a command, and the first 256 Ki characters of its output."""
    text, code = "", -1
    async for piece in pieces:
        if not isinstance(piece, str):
            code = piece
        elif len(text) < _MOST_OUTPUT:
            text = (text + piece)[:_MOST_OUTPUT]
    return CommandOutput(text, code)


class SshOrConsoleAccess:
    """Commands and files in containers, by SSH or by the console."""

    def __init__(self, shells: Shells, consoles: Consoles) -> None:
        self.shells = shells
        self.consoles = consoles
        # By client: a host with other credentials has another client, and other routes.
        self._known: WeakKeyDictionary[ProxmoxApi, dict[str, tuple[float, ExecRoute]]] = WeakKeyDictionary()
        self._pulls: WeakKeyDictionary[ProxmoxApi, tuple[float, str]] = WeakKeyDictionary()

    async def find_route(self, client: ProxmoxApi, node: str = "", *, again: bool = False) -> ExecRoute:
        """Return the route of commands into the containers of a node, which is tried first; `again` tries anew.

        Without a node, of the whole host: SSH when it reaches any node, the reason naming those that it does not.

        Raises:
            HostUnreachableError: the host's API does not say what the credentials may do.
        """
        if not client.access.has_ssh:
            node = ""  # the console leads to every node or to none
        elif not node:
            return await self._find_way_of_host(client, again=again)
        known = self._known.setdefault(client, {})
        if node in known and not again:
            tried, route = known[node]
            if time.monotonic() - tried < (_RETRY_S if route.may_pass else _MEMORY_S):
                return route
        route = await self._try_routes(client, node)
        known[node] = (time.monotonic(), route)
        return route

    async def _find_way_of_host(self, client: ProxmoxApi, *, again: bool) -> ExecRoute:
        names = (await get_members(client)).online
        if not names:
            names = tuple(
                str(one["node"]) for one in await client.get("/nodes") if one.get("status") == "online"
            )
        # A cluster of 32 nodes must not open 32 handshakes at once.
        slots = asyncio.Semaphore(_PARALLEL)

        async def find(node: str) -> ExecRoute:
            async with slots:
                return await self.find_route(client, node, again=again)

        routes = dict(zip(names, await asyncio.gather(*map(find, names)), strict=True))
        by_ssh = [node for node, route in routes.items() if route.mode == "ssh"]
        if not by_ssh:
            return next(iter(routes.values()), ExecRoute("none", "no node is online"))
        others = [
            f"on node {node} by {route.mode} ({route.reason})"
            for node, route in routes.items()
            if route.mode != "ssh"
        ]
        return ExecRoute("ssh", "; ".join(others))

    async def find_pull_obstacle(self, client: ProxmoxApi) -> str:
        """Return the reason why a host's credentials cannot pull OCI images; empty when they can.

        Raises:
            HostUnreachableError: the host's API does not say what the credentials may do.
        """
        known = self._pulls.get(client)
        if known is not None and time.monotonic() - known[0] < _MEMORY_S:
            return known[1]
        allowed = client.access.is_full_root or PULL in (await list_granted(client, "/nodes"))
        obstacle = "" if allowed else f"its credentials lack {PULL} on /nodes, which pulling OCI images needs"
        self._pulls[client] = (time.monotonic(), obstacle)
        return obstacle

    async def stream(
        self, view: View, argv: Sequence[str], *, stdin: bytes = b"", stall_s: float, timeout_s: float
    ) -> AsyncIterator[str | int]:
        """Run a command, without a shell, on an input: pieces of its output, then its exit code.

        Raises:
            ExecUnavailableError: there is no route into the container.
            ExecHungError: no output for `stall_s`, or longer than `timeout_s` in all.
            HostUnreachableError: the connection broke.
        """
        client, node = view.client, view.node
        limits: dict[str, Any] = {"stdin": stdin, "stall_s": stall_s, "timeout_s": timeout_s}
        if await self.uses_ssh(view):
            # `--` ends the options of pct, so that a command may begin with a dash.
            pct = ["pct", "exec", str(view.vmid), "--", *argv]
            pieces = self.shells.stream(client, node, argv=pct, **limits)
        else:
            pieces = self.consoles.stream(client, node, vmid=view.vmid, argv=argv, **limits)
        async for piece in pieces:
            yield piece

    async def run(self, view: View, argv: Sequence[str], *, timeout_s: float) -> CommandOutput:
        """Run a command to its end, and return at most 256 Ki characters of its output; raises as `stream`."""
        return await _collect(self.stream(view, argv, stall_s=timeout_s, timeout_s=timeout_s))

    async def run_on_node(
        self, client: ProxmoxApi, node: str, *, argv: Sequence[str], timeout_s: float
    ) -> CommandOutput:
        """Run a command on a node itself; raises as `Shells.run`."""
        # A stream ends the command with the request.
        pieces = self.shells.stream(client, node, argv=argv, stall_s=timeout_s, timeout_s=timeout_s)
        return await _collect(pieces)

    async def push(self, view: View, *, path: str, content: bytes, mode: int) -> None:
        """Write a file, whole or not at all.

        Raises:
            ProxmoxRefusedError: it was not written.
            DomainError: as `stream`.
        """
        if await self.uses_ssh(view):
            await self._push_by_pct(view, path, content=content, mode=mode)
        else:
            await self.consoles.push(
                view.client, view.node, vmid=view.vmid, path=path, content=content, mode=mode
            )

    async def unlock(self, view: View) -> None:
        """Remove the lock that a creation left when it died; only a shell on the node can.

        Every request of the API that changes or destroys a container refuses a locked one, whatever the credentials
        (taken from Proxmox's sources).

        Raises:
            ContainerLockedError: there is no such shell, or it refuses. Work goes on once a person did it.
        """
        argv = ["pct", "unlock", str(view.vmid)]
        advice = describe_lock(view)
        if not view.client.access.has_ssh:
            raise ContainerLockedError(advice)
        try:
            done = await self.shells.run(view.client, view.node, argv=argv, timeout_s=_UNLOCK_S)
        except (ExecUnavailableError, ExecHungError) as error:
            raise ContainerLockedError(f"{advice}: {error.message}") from error
        if done.exit_code != 0:
            raise ContainerLockedError(f"{advice}: {done.text.strip()[:200]}")

    async def close(self) -> None:
        """Close the connections to every container and node."""
        await self.consoles.close()
        await self.shells.close()

    async def uses_ssh(self, view: View) -> bool:
        """Whether commands go by SSH; the console of a container that requires a login is not even tried."""
        route = await self.find_route(view.client, view.node)
        is_open = view.config.get("cmode", "tty") == "shell"
        if route.may_pass and not is_open:  # its console requires a login, so SSH is the only route
            raise HostUnreachableError(route.reason, retry_after=5)
        if route.mode == "none":
            name = view.client.access.name
            raise ExecUnavailableError(f"{name} allows no commands in its containers: {route.reason}")
        if route.mode == "console" and not is_open:
            raise login_needed(view.vmid)
        return route.mode == "ssh"

    async def _try_routes(self, client: ProxmoxApi, node: str) -> ExecRoute:
        refused, may_pass = "its credentials are neither root's password nor an SSH key", False
        if client.access.has_ssh:
            try:
                await self.shells.check(client, node)
            except DomainError as error:
                refused, may_pass = error.message, isinstance(error, HostUnreachableError)
            else:
                return ExecRoute("ssh")
        if client.access.is_full_root or CONSOLE in (await list_granted(client, "/vms")):
            return ExecRoute("console", refused, may_pass)
        return ExecRoute("none", f"{refused}; they lack {CONSOLE} for the console", may_pass)

    async def _push_by_pct(self, view: View, path: str, *, content: bytes, mode: int) -> None:
        script = render_write("cat", path, mode=mode, size=len(content))
        argv = ["pct", "exec", str(view.vmid), "--", "sh", "-c", script]
        done = await self.shells.run(view.client, view.node, argv=argv, timeout_s=_PUSH_S, stdin=content)
        if done.exit_code != 0:
            raise ProxmoxRefusedError(
                f"{path} was not written in container {view.vmid}: {done.text.strip()[:300]}"
            )
