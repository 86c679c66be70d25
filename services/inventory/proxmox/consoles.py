"""Commands and files by the console that Proxmox's API gives: no SSH, a token with VM.Console is enough.

A container has one shell that everybody attached sees. So each command is one typed line whose output is
separated from its echo by markers; it runs with its own input and prints its exit code at the end. What is long or not plain
is typed as base64, in lines that busybox takes, and written to a file first.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from services.common.core.errors import DomainError
from services.inventory.domain.errors import (
    ConsoleTakenError,
    ExecHungError,
    HostUnreachableError,
    ProxmoxRefusedError,
)
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.domain.terminals import ConsoleLeases
from services.inventory.proxmox.console_shell import wake_shell
from services.inventory.proxmox.scripts import new_token, render_write
from services.inventory.proxmox.slots import acquire_slot
from services.inventory.proxmox.terminal import Echo, Screen
from services.inventory.proxmox.websocket import ConsoleSocket, open_console

LINE = 800  # bytes of base64 in a line: busybox keeps 1022 bytes of a line, terminals 4095
WINDOW = 3  # lines under way before the shell has confirmed them
INLINE = 600  # bytes of a command that is typed as it is; longer ones are written to a file first
_WAKE_S = 120.0  # a command whose caller went away may still run
_LINE_S = 20.0  # until the shell has read a line: a container under load reads slowly
_IDLE_S = 20.0  # how long an attachment stays open for the next command: attaching takes half a second
_PUSH_WAIT_S = 300.0  # for the command of another caller that uses the console
_INTERRUPT = b"\x03"


@dataclass
class _Session:
    """The shell of one container, used by one command at a time."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    socket: ConsoleSocket | None = None
    closing: asyncio.TimerHandle | None = None

    def detach(self) -> ConsoleSocket | None:
        """Forget the attachment and its timer, and return it to be closed."""
        if self.closing is not None:
            self.closing.cancel()
        socket, self.socket, self.closing = self.socket, None, None
        return socket


class Consoles:
    """The consoles of all containers; an attachment stays open for a while after a command.

    Args:
        leases: of terminals, while which no command is typed; None: there are no terminals.
    """

    def __init__(self, leases: ConsoleLeases | None = None) -> None:
        self._leases = leases
        self._sessions: dict[tuple[int, int], _Session] = {}
        # References: asyncio itself holds tasks only weakly.
        self._ending: set[asyncio.Task[None]] = set()

    async def stream(
        self,
        client: ProxmoxApi,
        node: str,
        *,
        vmid: int,
        argv: Sequence[str],
        stdin: bytes = b"",
        stall_s: float,
        timeout_s: float,
    ) -> AsyncIterator[str | int]:
        """Run a command in a running container, on an input: pieces of its output, then its exit code.

        Raises:
            ExecHungError: no output for `stall_s`, or longer than `timeout_s` in all.
            ExecUnavailableError: the console requires a login.
            ContainerStoppedError: the container does not run.
            ConsoleTakenError: a terminal uses it.
            HostUnreachableError: the connection broke; the command may still run.
        """
        session = self._find_session(client, vmid)
        await self._check_lease(client, vmid)  # before the wait for the slot, which a terminal here occupies
        async with acquire_slot(session.lock, f"the console of container {vmid}", timeout_s=timeout_s):
            await self._check_lease(client, vmid)
            socket = await self._attach(session, client, node=node, vmid=vmid)
            ended = False
            try:
                pieces = _run(socket, argv, stdin=stdin, stall_s=stall_s, timeout_s=timeout_s)
                async for piece in pieces:
                    ended = not isinstance(piece, str)
                    yield piece
            except BaseException:
                if not ended:
                    # The shell may still run the command, so that its output would appear in the next one's.
                    await self._drop(session)
                    raise
                self._keep(session)  # the caller left after the exit code, as gRPC clients do
                raise
            self._keep(session)

    async def push(
        self, client: ProxmoxApi, node: str, *, vmid: int, path: str, content: bytes, mode: int
    ) -> None:
        """Write a file, whole or not at all.

        Raises:
            ProxmoxRefusedError: the container's file system refuses it.
            DomainError: as `stream`.
        """
        session = self._find_session(client, vmid)
        await self._check_lease(client, vmid)
        async with acquire_slot(session.lock, f"the console of container {vmid}", timeout_s=_PUSH_WAIT_S):
            await self._check_lease(client, vmid)
            socket = await self._attach(session, client, node=node, vmid=vmid)
            try:
                staged = await _stage(socket, content)
                write = render_write(f"base64 -d {staged}", path, mode=mode, size=len(content))
                script = f"({write}); code=$?; rm -f {staged}; exit $code"
                text, code = "", -1
                async for piece in _run(socket, ["sh", "-c", script], stall_s=_LINE_S, timeout_s=_LINE_S * 3):
                    text, code = (text + piece, code) if isinstance(piece, str) else (text, piece)
            except BaseException:
                await self._drop(session)
                raise
            self._keep(session)
        if code != 0:
            raise ProxmoxRefusedError(
                f"{path} was not written in container {vmid}: {text.strip()[:300] or f'status {code}'}"
            )

    @asynccontextmanager
    async def exclude_commands(self, client: ProxmoxApi, vmid: int, *, wait_s: float) -> AsyncIterator[None]:
        """Let no command of this process use the console of a container while the context lasts.

        Raises:
            ExecHungError: a command uses it for longer than `wait_s`.
        """
        session = self._find_session(client, vmid)
        async with acquire_slot(session.lock, f"the console of container {vmid}", timeout_s=wait_s):
            await self._drop(session)
            yield

    async def close(self) -> None:
        """Detach from every container."""
        for session in self._sessions.values():
            await self._drop(session)
        await asyncio.gather(*self._ending)
        self._sessions.clear()

    async def _check_lease(self, client: ProxmoxApi, vmid: int) -> None:
        if self._leases is not None and await self._leases.is_leased(client.access.host_id, vmid):
            raise ConsoleTakenError(
                f"a terminal is open in container {vmid}, whose console it shares with the platform; the work goes "
                "on when the terminal is closed",
                retry_after=5,
            )

    def _find_session(self, client: ProxmoxApi, vmid: int) -> _Session:
        return self._sessions.setdefault((client.access.host_id, vmid), _Session())

    async def _attach(self, session: _Session, client: ProxmoxApi, *, node: str, vmid: int) -> ConsoleSocket:
        """The attachment that is there when its shell answers, else a new one."""
        if session.socket is not None:  # which closes in time also when the caller goes away now
            try:
                await wake_shell(session.socket, vmid, patience_s=_LINE_S)
            except DomainError:
                await self._drop(session)
            else:
                return session.socket
        session.socket = await open_console(client, node, vmid=vmid)
        self._keep(session)
        try:
            await wake_shell(session.socket, vmid, patience_s=_WAKE_S)
        except BaseException:
            await self._drop(session)
            raise
        return session.socket

    def _keep(self, session: _Session) -> None:
        if session.closing is not None:
            session.closing.cancel()
        session.closing = asyncio.get_running_loop().call_later(_IDLE_S, self._expire, session)

    def _expire(self, session: _Session) -> None:
        if session.lock.locked():
            self._keep(session)  # the command may end without closing it, when its caller goes away early
        elif (socket := session.detach()) is not None:
            ending = asyncio.get_running_loop().create_task(socket.close())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def _drop(self, session: _Session) -> None:
        if (socket := session.detach()) is not None:
            await socket.close()


async def _run(
    socket: ConsoleSocket, argv: Sequence[str], *, stdin: bytes = b"", stall_s: float, timeout_s: float
) -> AsyncIterator[str | int]:
    command = shlex.join(argv)
    typed = base64.b64encode(command.encode()).decode()
    staged = await _stage(socket, command.encode()) if len(typed) > INLINE else ""
    source = f"base64 -d {staged};rm -f {staged}" if staged else f"printf %s {typed}|base64 -d"
    call, given = f'sh -c "$({source})"', "</dev/null"
    if stdin:
        place = await _stage(socket, stdin)
        call, given = f"{{ base64 -d {place};rm -f {place}; }}|{call}", ""
    token = new_token()
    line = (
        f"{{ printf '%s-%s\\n' {token} begin;{call} {given} 2>&1;printf '%s-%s-%s-' {token} end $?; }}|cat\n"
    )
    await socket.type(line.encode())
    screen, echo = Screen(socket), Echo(token)
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_s
    try:
        while echo.exit_code is None:
            patience = min(stall_s, end - loop.time())
            text = echo.feed(await screen.read(patience_s=patience))
            if text:
                yield text
    except TimeoutError:
        await socket.type(_INTERRUPT)
        over = loop.time() >= end
        why = f"did not end within {timeout_s:.0f} s" if over else f"printed nothing for {stall_s:.0f} s"
        raise ExecHungError(f"the command {why}") from None
    except BaseException:
        with contextlib.suppress(DomainError):
            await socket.type(_INTERRUPT)  # nobody waits for it any more
        raise
    yield echo.exit_code


async def _stage(socket: ConsoleSocket, content: bytes) -> str:
    """Type a content as base64 into a file of the container, and return its path."""
    token = new_token()
    place = f"/tmp/.{token}"  # noqa: S108 - the name is random
    typed = base64.b64encode(content).decode()
    lines = [typed[i : i + LINE] for i in range(0, len(typed), LINE)] or [""]
    screen = Screen(socket)
    await socket.type(f"(umask 077;: >{place});printf '%s-%s.\\n' {token} 0\n".encode())
    await _await_line(screen, token, number=0)
    for number, piece in enumerate(lines, 1):
        await socket.type(f"printf %s '{piece}'>>{place}&&printf '%s-%s.\\n' {token} {number}\n".encode())
        if number % WINDOW == 0 or number == len(lines):
            await _await_line(screen, token, number=number)
    await socket.type(f"printf '%s-%s.\\n' {token} size$(($(wc -c <{place})))\n".encode())
    await _await_line(screen, token, number=f"size{len(typed)}")
    return place


async def _await_line(screen: Screen, token: str, *, number: int | str) -> None:
    try:
        await screen.find(f"{token}-{number}.".encode(), patience_s=_LINE_S)
    except TimeoutError:
        raise HostUnreachableError("the console lost what was typed", retry_after=1) from None
