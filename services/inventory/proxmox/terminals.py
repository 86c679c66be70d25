"""Terminals in containers: a shell by `pct exec` on a terminal of SSH, else one in the shared console of the API.

By SSH each terminal has a connection of its own, so that its output does not delay commands. A console is one shell that
everybody attached sees: a terminal leases it, over all replicas, and starts a shell inside the shared one, so that it
ends with an exit status and leaves the shared shell as it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import uuid
from contextlib import AsyncExitStack

import asyncssh

from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.inventory.domain.containers import View
from services.inventory.domain.errors import ExecHungError, HostUnreachableError, TerminalBusyError
from services.inventory.domain.terminals import LEASE_S, ConsoleLeases, ScreenSize, Terminal
from services.inventory.proxmox.console_shell import CLEAR_LINE, wake_shell
from services.inventory.proxmox.container_access import SshOrConsoleAccess
from services.inventory.proxmox.scripts import new_token
from services.inventory.proxmox.ssh import CONNECT_TIMEOUT_S, leave
from services.inventory.proxmox.terminal import Screen, ShellOutput
from services.inventory.proxmox.websocket import ConsoleSocket, open_console

log = get_logger()

UNKNOWN_STATUS = 255  # as ssh answers when the connection broke
_CHUNK = 32 * 1024  # bytes of one read
_SIGNALLED = 128  # plus the number of the signal, as shells have it
_READ_S = 3600.0  # of one read: terminals may be silent
_WAKE_S = 10.0  # a person waits; the gateway gives up after 20 s
_COMMAND_WAIT_S = 2.0  # for a command of the platform that runs at the moment
_START_S = 5.0  # until the shell inside the shared one has begun
_ESCAPE_S = 0.03  # the rest of a control sequence follows its first byte at once
_LEAVE_S = 1.5  # for a shell to end by itself
_TERM = "xterm-256color"
# The shell that the container has, as a login shell: it reads the profile, so that PATH is what people expect.
_SHELL = (
    f'cd "${{HOME:-/root}}" 2>/dev/null; export TERM={_TERM}; '
    "if command -v bash >/dev/null 2>&1; then exec bash -l; else exec sh -l; fi"
)
_INTERRUPT, _SUSPEND = b"\x03", b"\x1a"


class SshOrConsoleTerminals:
    """Opens terminals by SSH, or by consoles."""

    def __init__(self, access: SshOrConsoleAccess, leases: ConsoleLeases) -> None:
        self._access = access
        self._leases = leases

    async def open_terminal(self, view: View, *, size: ScreenSize, is_busy: bool) -> Terminal:
        """See `TerminalOpener.open_terminal`."""
        if await self._access.uses_ssh(view):
            return await self._open_by_ssh(view, size)
        if is_busy:
            raise TerminalBusyError(
                f"container {view.vmid} has one console for users and the platform, and an operation is under way; "
                "open the terminal when it has ended",
                retry_after=5,
            )
        return await self._open_console(view, size)

    async def _open_by_ssh(self, view: View, size: ScreenSize) -> SshTerminal:
        connection = await self._access.shells.connect(view.client, view.node)
        command = shlex.join(["pct", "exec", str(view.vmid), "--", "sh", "-c", _SHELL])
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                process = await connection.create_process(
                    command,
                    encoding=None,
                    stderr=asyncssh.STDOUT,
                    term_type=_TERM,
                    term_size=(size.columns, size.rows),
                )
        except (asyncssh.Error, OSError, TimeoutError) as error:
            leave(connection)
            why = str(error) or "timed out"
            raise HostUnreachableError(f"SSH to {view.node} broke: {why}", retry_after=2) from error
        except BaseException:
            leave(connection)
            raise
        return SshTerminal(connection, process, node=view.node)

    async def _open_console(self, view: View, size: ScreenSize) -> ConsoleTerminal:
        async with AsyncExitStack() as stack:
            try:
                excluded = self._access.consoles.exclude_commands(
                    view.client, view.vmid, wait_s=_COMMAND_WAIT_S
                )
                await stack.enter_async_context(excluded)
            except ExecHungError:
                raise TerminalBusyError(
                    f"the console of container {view.vmid} is in use; try again when its terminal is closed or the "
                    "command has ended",
                    retry_after=5,
                ) from None
            await stack.enter_async_context(_Lease(self._leases, view))
            socket = await open_console(view.client, view.node, vmid=view.vmid)
            stack.push_async_callback(socket.close)
            await wake_shell(socket, view.vmid, patience_s=_WAKE_S)
            await socket.resize(size.columns, size.rows)
            output = await _start_shell(socket)
            return ConsoleTerminal(socket, output, resources=stack.pop_all())


class SshTerminal:
    """A terminal of SSH, on a connection of its own."""

    mode = "ssh"

    def __init__(
        self,
        connection: asyncssh.SSHClientConnection,
        process: asyncssh.SSHClientProcess[bytes],
        *,
        node: str,
    ) -> None:
        self._connection = connection
        self._process = process
        self._node = node

    async def read(self) -> bytes:
        """See `Terminal.read`."""
        try:
            return await self._process.stdout.read(_CHUNK)
        except (asyncssh.Error, OSError) as error:
            raise self._broken(error) from error

    async def write(self, data: bytes) -> None:
        """See `Terminal.write`."""
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except BrokenPipeError:
            return  # the shell has just ended; reading says how
        except (asyncssh.Error, OSError) as error:
            raise self._broken(error) from error

    async def resize(self, size: ScreenSize) -> None:
        """See `Terminal.resize`."""
        with contextlib.suppress(OSError):  # the shell has just ended
            self._process.change_terminal_size(size.columns, size.rows)

    async def find_exit_status(self) -> int:
        """See `Terminal.find_exit_status`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self._process.wait_closed()
        code = self._process.returncode
        if code is None:
            return UNKNOWN_STATUS
        return code if code >= 0 else _SIGNALLED - code

    async def close(self) -> None:
        """See `Terminal.close`: the node hangs up the terminal, which ends the shell."""
        self._process.close()
        leave(self._connection)

    def _broken(self, error: Exception) -> HostUnreachableError:
        return HostUnreachableError(f"SSH to {self._node} broke: {error}", retry_after=2)


class ConsoleTerminal:
    """A shell inside the shared shell of a container's console."""

    mode = "console"

    def __init__(self, socket: ConsoleSocket, output: ShellOutput, *, resources: AsyncExitStack) -> None:
        self._socket = socket
        self._output = output
        self._resources = resources

    async def read(self) -> bytes:
        """See `Terminal.read`."""
        while True:
            if shown := self._output.take():
                return shown
            if self._output.exit_status is not None:
                return b""
            try:
                patience = _ESCAPE_S if self._output.has_escape else _READ_S
                self._output.feed(await self._socket.read(patience_s=patience))
            except TimeoutError:
                self._output.flush()

    async def write(self, data: bytes) -> None:
        """See `Terminal.write`."""
        await self._socket.type(data)

    async def resize(self, size: ScreenSize) -> None:
        """See `Terminal.resize`."""
        await self._socket.resize(size.columns, size.rows)

    async def find_exit_status(self) -> int:
        """See `Terminal.find_exit_status`."""
        return UNKNOWN_STATUS if self._output.exit_status is None else self._output.exit_status

    async def close(self) -> None:
        """See `Terminal.close`: what runs is interrupted, then suspended and killed, and the shared shell is back."""
        try:
            with contextlib.suppress(DomainError):
                await self._end_shell()
        finally:
            await self._resources.aclose()

    async def _end_shell(self) -> None:
        for keys in (
            _INTERRUPT + CLEAR_LINE + b"exit\n",
            _SUSPEND + CLEAR_LINE + b"kill -9 %%\n" + CLEAR_LINE + b"exit\n",
        ):
            if self._output.exit_status is not None:
                return
            await self._socket.type(keys)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LEAVE_S):
                    while self._output.exit_status is None:
                        self._output.feed(await self._socket.read(patience_s=_LEAVE_S))
                        self._output.take()
        if self._output.exit_status is None:
            log.warning("terminal_shell_left", why="what runs in it takes no signals of the terminal")


class _Lease:
    """The lease of a console, renewed for as long as the context lasts."""

    def __init__(self, leases: ConsoleLeases, view: View) -> None:
        self._leases = leases
        self._key = view.client.access.host_id, view.vmid
        self._holder = uuid.uuid4().hex
        self._renewal: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        if not await self._leases.acquire(*self._key, holder=self._holder):
            raise TerminalBusyError(
                f"another terminal is open in container {self._key[1]}, whose console is shared; close that one first",
                retry_after=5,
            )
        self._renewal = asyncio.ensure_future(self._renew())

    async def __aexit__(self, *_: object) -> None:
        if self._renewal is not None:
            self._renewal.cancel()
        with contextlib.suppress(DomainError):  # it expires by itself
            await self._leases.release(*self._key, holder=self._holder)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 3)
            try:
                await self._leases.acquire(*self._key, holder=self._holder)
            except DomainError as error:
                log.warning("console_lease_not_renewed", vmid=self._key[1], error=error.message)


async def _start_shell(socket: ConsoleSocket) -> ShellOutput:
    """Start a shell inside the shared one; everything behind its begin is the terminal's.

    Raises:
        HostUnreachableError: it does not begin.
    """
    token = new_token()
    # The marker of the end begins with an escape character, which no terminal echoes: typed text is shown at once.
    line = (
        f"{{ printf '%s-%s\\n' {token} begin;sh -c {shlex.quote(_SHELL)};"
        f"printf '\\033_%s-%s-%s-' {token} end $?; }}\n"
    )
    await socket.type(line.encode())
    screen, output = Screen(socket), ShellOutput(token)
    loop = asyncio.get_running_loop()
    end = loop.time() + _START_S
    try:
        while not output.has_begun:
            output.feed(await screen.read(patience_s=end - loop.time()))
    except TimeoutError:
        raise HostUnreachableError("the console lost what was typed", retry_after=1) from None
    return output
