"""SSH to the nodes. The host key is pinned at first use: a node that shows another one is not talked to."""

from __future__ import annotations

import asyncio
import codecs
import shlex
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import asyncssh

from services.inventory.domain.access import CommandOutput
from services.inventory.domain.errors import ExecHungError, ExecUnavailableError, HostUnreachableError
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.proxmox.slots import acquire_slot
from services.inventory.proxmox.ssh_routes import SshRoute, connect_first, list_routes

CONNECT_TIMEOUT_S = 10.0  # a handshake takes three round trips and a signature
_CHUNK = 32 * 1024  # bytes of one read
_CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"  # before ChaCha20, with which a command costs twice the CPU
_CHANNELS = 6  # OpenSSH allows ten at a time


class SshKeys(Protocol):
    """The pinned host keys."""

    async def find_ssh_key(self, host_id: int, address: str) -> str:
        """Return the key pinned for an address; empty when none is."""

    async def pin_ssh_key(self, host_id: int, address: str, *, public_key: str) -> None:
        """Pin a key, unless one is pinned already."""


@dataclass
class _Shell:
    connection: asyncssh.SSHClientConnection
    channels: asyncio.Semaphore


class Shells:
    """Open connections to the nodes, one for all commands of a node."""

    def __init__(self, keys: SshKeys) -> None:
        self._keys = keys
        self._shells: dict[tuple[int, str, int], _Shell] = {}
        self._locks: dict[tuple[int, str], asyncio.Lock] = {}

    async def run(
        self,
        client: ProxmoxApi,
        node: str,
        *,
        argv: Sequence[str],
        timeout_s: float,
        stdin: bytes | None = None,
    ) -> CommandOutput:
        """Run a command on a node to its end; without anything to read, it reads the end at once.

        Raises:
            ExecUnavailableError: the credentials allow no SSH.
            HostUnreachableError: the node does not answer.
            ExecHungError: it took longer than `timeout_s`.
        """
        shell = await self._get_shell(client, node)
        # asyncssh ends no input that is empty.
        given: dict[str, Any] = {"input": stdin} if stdin else {"stdin": asyncssh.DEVNULL}
        try:
            async with asyncio.timeout(timeout_s), shell.channels:
                done = await shell.connection.run(
                    shlex.join(argv),
                    **given,
                    encoding=None,
                    stderr=asyncssh.STDOUT,
                    check=False,
                )
        except TimeoutError:
            raise ExecHungError(f"{argv[0]} on {node} did not end within {timeout_s:.0f} s") from None
        except (asyncssh.Error, OSError) as error:
            raise HostUnreachableError(f"SSH to {node} broke: {error}", retry_after=2) from error
        output = done.stdout if isinstance(done.stdout, bytes) else b""
        return CommandOutput(
            output.decode(errors="replace"), done.returncode if done.returncode is not None else -1
        )

    async def stream(
        self,
        client: ProxmoxApi,
        node: str,
        *,
        argv: Sequence[str],
        stdin: bytes = b"",
        stall_s: float,
        timeout_s: float,
    ) -> AsyncIterator[str | int]:
        """Run a command on a node, on an input: pieces of its output, then its exit code.

        Raises:
            ExecHungError: no output for `stall_s`, or longer than `timeout_s` in all.
            DomainError: as `run`.
        """
        shell = await self._get_shell(client, node)
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        process: asyncssh.SSHClientProcess[bytes] | None = None
        decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a character may lie in two pieces
        try:
            async with acquire_slot(shell.channels, f"SSH to {node}", timeout_s=timeout_s):
                process = running = await asyncio.wait_for(
                    shell.connection.create_process(shlex.join(argv), encoding=None, stderr=asyncssh.STDOUT),
                    CONNECT_TIMEOUT_S,
                )
                if stdin:
                    running.stdin.write(stdin)
                running.stdin.write_eof()
                while True:
                    patience = min(stall_s, end - loop.time())
                    piece = await asyncio.wait_for(running.stdout.read(_CHUNK), max(patience, 0.001))
                    if not piece:
                        break
                    if text := decoder.decode(piece):
                        yield text
                await asyncio.wait_for(running.wait_closed(), CONNECT_TIMEOUT_S)
                yield running.returncode if running.returncode is not None else -1
        except TimeoutError:
            over = loop.time() >= end
            why = f"did not end within {timeout_s:.0f} s" if over else f"printed nothing for {stall_s:.0f} s"
            raise ExecHungError(f"the command {why}") from None
        except (asyncssh.Error, OSError) as error:
            raise HostUnreachableError(f"SSH to {node} broke: {error}", retry_after=2) from error
        finally:
            if process is not None and process.returncode is None:
                process.kill()
            if process is not None:
                process.close()

    async def check(self, client: ProxmoxApi, node: str) -> None:
        """Sign in at a node as commands do, and leave again.

        Raises:
            ExecUnavailableError: the credentials allow no SSH, or the node's key is not the pinned one.
            HostUnreachableError: nobody answers.
        """
        _check_credentials(client)
        leave(await self._open(client, node))

    async def connect(self, client: ProxmoxApi, node: str) -> asyncssh.SSHClientConnection:
        """Return a connection of the caller's own, which `leave` closes; raises as `check`."""
        _check_credentials(client)
        return await self._open(client, node)

    async def close(self) -> None:
        """Close every connection."""
        for shell in self._shells.values():
            leave(shell.connection)
        self._shells.clear()

    async def _get_shell(self, client: ProxmoxApi, node: str) -> _Shell:
        access = client.access
        _check_credentials(client)
        lock = self._locks.setdefault((access.host_id, node), asyncio.Lock())
        async with lock:
            # With the client's identity: new credentials open a new connection.
            key = (access.host_id, node, id(client))
            known = self._shells.get(key)
            if known is None or known.connection.is_closed():
                shell = _Shell(await self._open(client, node), asyncio.Semaphore(_CHANNELS))
                self._drop_old(access.host_id, node)
                self._shells[key] = known = shell
            return known

    def _drop_old(self, host_id: int, node: str) -> None:
        for key in [key for key in self._shells if key[:2] == (host_id, node)]:
            leave(self._shells.pop(key).connection)

    async def _open(self, client: ProxmoxApi, node: str) -> asyncssh.SSHClientConnection:
        """Connect to a node by the first of its routes that works."""
        routes = await list_routes(client, node)
        return await connect_first(routes, lambda route: self._connect(client, route), node=node, close=leave)

    async def _connect(self, client: ProxmoxApi, route: SshRoute) -> asyncssh.SSHClientConnection:
        """Connect by one route; a connection that it goes through ends with the one that goes through it."""
        if route.via is None:
            return await self._sign_in(client, route, gate=None)
        gate = await self._connect(client, route.via)
        try:
            connection = await self._sign_in(client, route, gate=gate)
        except BaseException:
            gate.close()
            raise
        connection.set_extra_info(gate=gate)
        return connection

    async def _sign_in(
        self, client: ProxmoxApi, route: SshRoute, *, gate: asyncssh.SSHClientConnection | None
    ) -> asyncssh.SSHClientConnection:
        access = client.access
        place = route.endpoint
        pinned = await self._keys.find_ssh_key(access.host_id, place)
        if not pinned:
            # Trust on first use; what another replica pinned meanwhile wins, hence the second read.
            pinned = await self._learn(route, gate)
            await self._keys.pin_ssh_key(access.host_id, place, public_key=pinned)
            pinned = await self._keys.find_ssh_key(access.host_id, place)
        try:
            return await asyncio.wait_for(
                asyncssh.connect(
                    route.address,
                    route.port,
                    tunnel=gate or (),
                    username="root",
                    password=access.password if access.user == "root@pam" and access.password else None,
                    client_keys=[asyncssh.import_private_key(access.ssh_key)] if access.ssh_key else None,
                    known_hosts=([asyncssh.import_public_key(pinned)], [], []),
                    # Neither keys nor settings of the user who runs the service may change what is tried.
                    agent_path=None,
                    config=None,
                    encryption_algs=_CIPHERS,
                    keepalive_interval=15,
                    keepalive_count_max=3,
                ),
                CONNECT_TIMEOUT_S,
            )
        except asyncssh.HostKeyNotVerifiable as error:
            raise ExecUnavailableError(
                f"{place} shows another SSH host key than the one pinned at first use; if the node was "
                "installed anew, set the host's address or SSH port again to pin the new key"
            ) from error
        except (asyncssh.PermissionDenied, asyncssh.KeyImportError) as error:
            raise ExecUnavailableError(f"{place} refuses root's SSH sign-in: {error}") from error
        except (asyncssh.Error, OSError, TimeoutError) as error:
            why = str(error) or "timed out"
            raise HostUnreachableError(f"SSH to {place} fails: {why}", retry_after=5) from error

    async def _learn(self, route: SshRoute, gate: asyncssh.SSHClientConnection | None) -> str:
        try:
            key = await asyncio.wait_for(
                asyncssh.get_server_host_key(route.address, route.port, tunnel=gate or (), config=None),
                CONNECT_TIMEOUT_S,
            )
        except (asyncssh.Error, OSError, TimeoutError) as error:
            why = str(error) or "timed out"
            raise HostUnreachableError(f"SSH to {route} fails: {why}", retry_after=5) from error
        if key is None:
            raise HostUnreachableError(f"SSH at {route} shows no host key", retry_after=5)
        return key.export_public_key().decode().strip()


def leave(connection: asyncssh.SSHClientConnection) -> None:
    """Close a connection, and the one that it goes through."""
    connection.close()
    gate = connection.get_extra_info("gate")
    if gate is not None:
        gate.close()


def _check_credentials(client: ProxmoxApi) -> None:
    if not client.access.has_ssh:
        raise ExecUnavailableError(
            f"{client.access.name}: SSH needs root's password or an SSH key among the host's credentials"
        )
