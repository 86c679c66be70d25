"""The way into containers: SSH where the host's credentials allow it, else the console of its API, else none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from services.common.core.errors import DomainError
from services.inventory.domain.errors import (
    ContainerLockedError,
    ExecHungError,
    ExecUnavailableError,
    HostUnreachableError,
    ProxmoxRefusedError,
)
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.consoles import Consoles, login_needed, render_write
from services.inventory.proxmox.containers import View
from services.inventory.proxmox.nodes import get_members
from services.inventory.proxmox.privileges import CONSOLE, PULL, list_granted
from services.inventory.proxmox.ssh import Completed, Shells

_PUSH_S = 60.0
_UNLOCK_S = 20.0
_SAID = 256 * 1024  # containers are not ours: what they say has an end
_MEMORY_S = 300.0  # how long a way counts before it is looked for again
_RETRY_S = 30.0  # the same where SSH may be back soon
_PARALLEL = 8  # nodes of a host that are tried at once


def describe_lock(view: View) -> str:
    """What a person has to do where a creation left its lock."""
    command = f"pct unlock {view.vmid}"
    return f"container {view.vmid} is locked ({view.lock}); run `{command}` on {view.node}, then it goes on by itself"


@dataclass(frozen=True)
class Way:
    """ssh, console or none; and why it is not a better one.

    Attributes:
        may_pass: the better one may be there again soon, as SSH that does not answer.
    """

    mode: str
    reason: str = ""
    may_pass: bool = False


class Ways:
    """Commands and files in containers, whichever way leads there."""

    def __init__(self, shells: Shells, consoles: Consoles) -> None:
        self.shells = shells
        self.consoles = consoles
        self._known: WeakKeyDictionary[ProxmoxClient, dict[str, tuple[float, Way]]] = WeakKeyDictionary()
        self._pulls: WeakKeyDictionary[ProxmoxClient, tuple[float, str]] = WeakKeyDictionary()

    async def find_way(self, client: ProxmoxClient, node: str = "", *, again: bool = False) -> Way:
        """Say which way leads into the containers of a node, tried as commands go it; `again` tries anew.

        Without a node, of the whole host: SSH when it leads to any node, the reason naming those to which it does not.

        Raises:
            HostUnreachableError: the host's API does not say what the credentials may do.
        """
        if not client.access.has_ssh:
            node = ""  # the console leads to every node or to none
        elif not node:
            return await self._find_way_of_host(client, again=again)
        known = self._known.setdefault(client, {})
        if node in known and not again:
            tried, way = known[node]
            if time.monotonic() - tried < (_RETRY_S if way.may_pass else _MEMORY_S):
                return way
        way = await self._try_ways(client, node)
        known[node] = (time.monotonic(), way)
        return way

    async def _find_way_of_host(self, client: ProxmoxClient, *, again: bool) -> Way:
        names = (await get_members(client)).online
        if not names:
            names = tuple(
                str(one["node"]) for one in await client.get("/nodes") if one.get("status") == "online"
            )
        slots = asyncio.Semaphore(_PARALLEL)

        async def find(node: str) -> Way:
            async with slots:
                return await self.find_way(client, node, again=again)

        ways = dict(zip(names, await asyncio.gather(*map(find, names)), strict=True))
        by_ssh = [node for node, way in ways.items() if way.mode == "ssh"]
        if not by_ssh:
            return next(iter(ways.values()), Way("none", "no node is online"))
        others = [
            f"on node {node} by {way.mode} ({way.reason})" for node, way in ways.items() if way.mode != "ssh"
        ]
        return Way("ssh", "; ".join(others))

    async def find_pull_obstacle(self, client: ProxmoxClient) -> str:
        """Say what keeps a host's credentials from pulling OCI images; empty when nothing does.

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
            ExecUnavailableError: no way leads in.
            ExecHungError: no output for `stall_s`, or longer than `timeout_s` in all.
            HostUnreachableError: the connection broke.
        """
        client, node = view.client, view.node
        limits: dict[str, Any] = {"stdin": stdin, "stall_s": stall_s, "timeout_s": timeout_s}
        if await self._uses_ssh(view):
            pct = ["pct", "exec", str(view.vmid), "--", *argv]
            pieces = self.shells.stream(client, node, pct, **limits)
        else:
            pieces = self.consoles.stream(client, node, view.vmid, argv=argv, **limits)
        async for piece in pieces:
            yield piece

    async def run(self, view: View, argv: Sequence[str], *, timeout_s: float) -> Completed:
        """Run a command to its end; raises as `stream`. Of what it says, 256 Ki characters are kept."""
        said, code = "", -1
        async for piece in self.stream(view, argv, stall_s=timeout_s, timeout_s=timeout_s):
            if not isinstance(piece, str):
                code = piece
            elif len(said) < _SAID:
                said = (said + piece)[:_SAID]
        return Completed(said, code)

    async def push(self, view: View, *, path: str, content: bytes, mode: int) -> None:
        """Write a file, whole or not at all.

        Raises:
            ProxmoxRefusedError: it was not written.
            DomainError: as `stream`.
        """
        if await self._uses_ssh(view):
            await self._push_by_pct(view, path, content, mode=mode)
        else:
            await self.consoles.push(view.client, view.node, view.vmid, path=path, content=content, mode=mode)

    async def unlock(self, view: View) -> None:
        """Take the lock off that a creation left behind when it died; only a shell on the node can.

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
            done = await self.shells.run(view.client, view.node, argv, timeout_s=_UNLOCK_S)
        except (ExecUnavailableError, ExecHungError) as error:
            raise ContainerLockedError(f"{advice}: {error.message}") from error
        if done.exit_code != 0:
            raise ContainerLockedError(f"{advice}: {done.text.strip()[:200]}")

    async def close(self) -> None:
        """Leave every container and node."""
        await self.consoles.close()
        await self.shells.close()

    async def _uses_ssh(self, view: View) -> bool:
        """Whether SSH leads into a container; the console of one that asks for a login is not even tried."""
        way = await self.find_way(view.client, view.node)
        is_open = view.config.get("cmode", "tty") == "shell"
        if way.may_pass and not is_open:  # its console asks for a login: SSH is what there is
            raise HostUnreachableError(way.reason, retry_after=5)
        if way.mode == "none":
            name = view.client.access.name
            raise ExecUnavailableError(f"{name} gives no way into its containers: {way.reason}")
        if way.mode == "console" and not is_open:
            raise login_needed(view.vmid)
        return way.mode == "ssh"

    async def _try_ways(self, client: ProxmoxClient, node: str) -> Way:
        refused, may_pass = "its credentials are neither root's password nor an SSH key", False
        if client.access.has_ssh:
            try:
                await self.shells.check(client, node)
            except DomainError as error:
                refused, may_pass = error.message, isinstance(error, HostUnreachableError)
            else:
                return Way("ssh")
        if client.access.is_full_root or CONSOLE in (await list_granted(client, "/vms")):
            return Way("console", refused, may_pass)
        return Way("none", f"{refused}; they lack {CONSOLE} for the console", may_pass)

    async def _push_by_pct(self, view: View, path: str, content: bytes, *, mode: int) -> None:
        script = render_write("cat", path, mode=mode, size=len(content))
        argv = ["pct", "exec", str(view.vmid), "--", "sh", "-c", script]
        done = await self.shells.run(view.client, view.node, argv, timeout_s=_PUSH_S, stdin=content)
        if done.exit_code != 0:
            raise ProxmoxRefusedError(
                f"{path} was not written in container {view.vmid}: {done.text.strip()[:300]}"
            )
