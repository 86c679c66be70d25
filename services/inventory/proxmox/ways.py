"""The way into containers: SSH where the host's credentials allow it, else the console of its API, else none."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from services.common.core.errors import DomainError
from services.inventory.domain.errors import (
    ContainerLockedError,
    ExecHungError,
    ExecUnavailableError,
    ProxmoxRefusedError,
)
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.consoles import Consoles, login_needed, render_write
from services.inventory.proxmox.containers import View
from services.inventory.proxmox.privileges import CONSOLE, PULL, list_granted
from services.inventory.proxmox.ssh import Completed, Shells

_PUSH_S = 60.0
_UNLOCK_S = 20.0
_SAID = 256 * 1024  # containers are not ours: what they say has an end
_MEMORY_S = 300.0  # how long a way counts before it is looked for again


def describe_lock(view: View) -> str:
    """What a person has to do where a creation left its lock."""
    command = f"pct unlock {view.vmid}"
    return f"container {view.vmid} is locked ({view.lock}); run `{command}` on {view.node}, then it goes on by itself"


@dataclass(frozen=True)
class Way:
    """ssh, console or none; and why it is not a better one."""

    mode: str
    reason: str = ""


class Ways:
    """Commands and files in containers, whichever way leads there."""

    def __init__(self, shells: Shells, consoles: Consoles) -> None:
        self.shells = shells
        self.consoles = consoles
        self._known: WeakKeyDictionary[ProxmoxClient, tuple[float, Way]] = WeakKeyDictionary()
        self._pulls: WeakKeyDictionary[ProxmoxClient, tuple[float, str]] = WeakKeyDictionary()

    async def find_way(self, client: ProxmoxClient, *, again: bool = False) -> Way:
        """Say which way leads into the containers of a host, tried with its credentials; `again` asks anew.

        Raises:
            HostUnreachableError: the host's API does not say what the credentials may do.
        """
        known = self._known.get(client)
        if known is not None and not again and time.monotonic() - known[0] < _MEMORY_S:
            return known[1]
        way = await self._try_ways(client)
        self._known[client] = (time.monotonic(), way)
        return way

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
        self, view: View, argv: Sequence[str], *, stall_s: float, timeout_s: float
    ) -> AsyncIterator[str | int]:
        """Run a command, without a shell: pieces of its output, then its exit code.

        Raises:
            ExecUnavailableError: no way leads in.
            ExecHungError: no output for `stall_s`, or longer than `timeout_s` in all.
            HostUnreachableError: the connection broke.
        """
        client, node, limits = view.client, view.node, {"stall_s": stall_s, "timeout_s": timeout_s}
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
        way = await self.find_way(view.client)
        if way.mode == "none":
            name = view.client.access.name
            raise ExecUnavailableError(f"{name} gives no way into its containers: {way.reason}")
        if way.mode == "console" and view.config.get("cmode", "tty") != "shell":
            raise login_needed(view.vmid)
        return way.mode == "ssh"

    async def _try_ways(self, client: ProxmoxClient) -> Way:
        refused = "its credentials are neither root's password nor an SSH key"
        if client.access.has_ssh:
            try:
                await self.shells.check(client)
            except DomainError as error:
                refused = error.message
            else:
                return Way("ssh")
        if client.access.is_full_root or CONSOLE in (await list_granted(client, "/vms")):
            return Way("console", refused)
        return Way("none", f"{refused}; they lack {CONSOLE} for the console")

    async def _push_by_pct(self, view: View, path: str, content: bytes, *, mode: int) -> None:
        script = render_write("cat", path, mode=mode, size=len(content))
        argv = ["pct", "exec", str(view.vmid), "--", "sh", "-c", script]
        done = await self.shells.run(view.client, view.node, argv, timeout_s=_PUSH_S, stdin=content)
        if done.exit_code != 0:
            raise ProxmoxRefusedError(
                f"{path} was not written in container {view.vmid}: {done.text.strip()[:300]}"
            )
