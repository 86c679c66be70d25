"""The shell behind termproxy: a terminal with an interactive shell on it."""

import asyncio
import hmac
import re
from collections.abc import Callable

from tests.pvesim.guest.commands.shells import make_shell
from tests.pvesim.guest.guest import Guest
from tests.pvesim.guest.machine import Process
from tests.pvesim.guest.shell.interpreter import Shell
from tests.pvesim.guest.shell.parser import Parser
from tests.pvesim.guest.shell.state import ExpansionError, LeaveError, LoopError
from tests.pvesim.guest.shell.syntax import IncompleteScriptError, ShellSyntaxError
from tests.pvesim.guest.streams import CallSink
from tests.pvesim.guest.world import World

LINE_LIMIT = 4095
"""Bytes of a line that the terminal keeps in canonical mode; what comes after is lost up to the end of the line."""
BUSYBOX_LIMIT = 1022
"""The same of busybox's line editor, which reads the lines at Alpine's prompt."""
CONTROL = re.compile(rb"([\r\n\x03\x04\x08\x15\x7f])")
BRACKETS_ON, BRACKETS_OFF, ASK_POSITION = b"\x1b[?2004h", b"\x1b[?2004l\r", b"\x1b[6n"
INTERRUPTED = 130
Output = Callable[[bytes], None]


class Console:
    """One container's console. Everybody attached sees the same shell, as with Proxmox's dtach.

    `feed` takes what was typed, outputs get what the terminal shows (CRLF line ends). With `login`
    the console asks for name and password first (`cmode=tty`) instead of being root's shell
    (`cmode=shell`). What is typed in the first `attach_s` seconds of a shell is echoed and lost:
    lxc-attach discards pending input when it sets its terminal.
    """

    def __init__(self, guest: Guest, world: World, *, login: bool = False, attach_s: float = 0) -> None:
        self.guest = guest
        self.world = world
        self.echo = True
        self._attach_s = attach_s
        self._discards = False
        self._login = login
        self._outputs: list[Output] = []
        self._typed = bytearray()
        self._lines: asyncio.Queue[bytes] = asyncio.Queue()
        self._pending = b""
        self._session: asyncio.Task[None] | None = None
        self._command: asyncio.Task[int] | None = None

    def attach(self, output: Output) -> None:
        """Send what the terminal shows to `output` too; starts the shell when none runs."""
        self._outputs.append(output)
        if self._session is None or self._session.done():
            self._discards = self._attach_s > 0
            self._session = asyncio.get_running_loop().create_task(self._run_session())

    def detach(self, output: Output) -> None:
        """Stop sending to `output`; the shell goes on."""
        if output in self._outputs:
            self._outputs.remove(output)

    async def close(self) -> None:
        """End the shell and what runs in it (the container stops)."""
        for task in (self._command, self._session):
            if task and not task.done():
                task.cancel()
        await asyncio.gather(*(t for t in (self._command, self._session) if t), return_exceptions=True)
        self._outputs.clear()

    async def feed(self, data: bytes) -> None:
        """Take input as typed or pasted."""
        if self._discards:
            self.show(data)
            return
        for piece in CONTROL.split(data):
            if CONTROL.fullmatch(piece):
                self._press(piece)
            elif piece:
                self._type(piece)
        await asyncio.sleep(0)

    def show(self, data: bytes) -> None:
        """Output as a program writes it; line feeds become CRLF."""
        self._send(re.sub(rb"(?<!\r)\n", b"\r\n", data))

    def _send(self, data: bytes) -> None:
        for output in list(self._outputs):
            output(data)

    def _type(self, text: bytes) -> None:
        at_prompt = self._command is None
        limit = BUSYBOX_LIMIT if at_prompt and self.guest.flavour == "alpine" else LINE_LIMIT
        kept = text[: max(0, limit - len(self._typed))]
        self._typed += kept
        if self.echo:
            self._send(kept)

    def _press(self, key: bytes) -> None:
        if key in b"\r\n":
            self._enter(b"\n")
        elif key == b"\x03":
            self._interrupt()
        elif key == b"\x04":
            self._enter(b"")
        elif key == b"\x15":
            self._typed.clear()
        elif self._typed:
            self._typed.pop()
            if self.echo:
                self._send(b"\b \b")

    def _enter(self, end: bytes) -> None:
        if self.echo and end:
            self._send(b"\r\n")
        self._lines.put_nowait(bytes(self._typed) + end)
        self._typed.clear()

    def _interrupt(self) -> None:
        self._typed.clear()
        if self._command and not self._command.done():
            self._send(b"^C")
            self._command.cancel()
        else:
            self._lines.put_nowait(b"\x03")

    # Source: programs read the terminal

    async def read_line(self) -> bytes:
        line, self._pending = self._pending or await self._lines.get(), b""
        return line

    async def read_all(self) -> bytes:
        parts = []
        while part := await self.read_line():
            parts.append(part)
        return b"".join(parts)

    async def read_some(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            line = await self.read_line()
            if not line:
                break
            parts += line
        self._pending = bytes(parts[size:])
        return bytes(parts[:size])

    # The shell

    async def _run_session(self) -> None:
        if self._discards:
            await asyncio.sleep(self._attach_s)
            self._discards = False
        while self._login and not await self._log_in():
            self._send(b"\r\nLogin incorrect\r\n")
        shell = self._make_shell()
        script = Script()
        while True:
            line = await self._read_at_prompt(shell, continued=bool(script))
            if line == b"\x03":
                self._send(b"^C\r\n")
                script = Script()
            elif not line:
                break
            elif script.add(line):
                if await self._run_script(shell, script.text):
                    break
                script = Script()
        self._send(b"exit\r\n")

    async def _log_in(self) -> bool:
        self._send(f"\r\n{self.guest.hostname} login: ".encode())
        name = (await self.read_line()).strip()
        self._send(b"Password: ")
        self.echo = False
        password = (await self.read_line()).strip()
        self.echo = True
        self._send(b"\r\n")
        good = self.guest.password.encode()
        return name == b"root" and bool(good) and hmac.compare_digest(good, password)

    def _make_shell(self) -> Shell:
        sink = CallSink(self.show)
        env = {**self.guest.login_env(), "TERM": "xterm-256color", "USER": "root", "SHELL": "/bin/sh"}
        process = Process(self.guest, self.world, ["sh"], env, "/root", self, sink, sink, terminal=self)
        name = "bash" if "bash" in self.guest.packages else "sh"
        process.argv = [name]
        return make_shell(process, name=name, arguments=[])

    async def _read_at_prompt(self, shell: Shell, *, continued: bool) -> bytes:
        cwd = (
            shell.state.cwd.replace("/root", "~", 1)
            if shell.state.cwd.startswith("/root")
            else shell.state.cwd
        )
        debian = self.guest.flavour == "debian"
        prompt = (
            "> "
            if continued
            else f"root@{self.guest.hostname}:{cwd}# "
            if debian
            else f"{self.guest.hostname}:{cwd}# "
        )
        self._send((BRACKETS_ON if debian else b"") + prompt.encode() + (b"" if debian else ASK_POSITION))
        line = await self.read_line()
        if debian:
            self._send(BRACKETS_OFF)
        return line

    async def _run_script(self, shell: Shell, script: str) -> bool:
        """Run a complete script; True when the shell is to end."""
        if script.strip():
            self.world.record(self.guest.place.key, ("console",), raw=script)
        self._command = asyncio.get_running_loop().create_task(self._execute(shell, script))
        try:
            await asyncio.wait((self._command,))
            if self._command.cancelled():
                shell.state.status = INTERRUPTED
                self._send(b"\r\n")
                return False
            ended = self._command.result()
        finally:
            self._command.cancel()
            self._command = None
        await self.world.settle_guest(self.guest)
        return bool(ended)

    async def _execute(self, shell: Shell, script: str) -> int:
        try:
            await shell.run_script(script)
        except LeaveError:
            return 1
        except ExpansionError as error:
            shell.state.status = shell.complain(str(error), status=1)
        except LoopError:
            shell.state.status = 0
        return 0


class Script:
    """A script being typed: knows when it is complete, at a cost that does not grow with each line."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._awaited: str | None = None

    def __bool__(self) -> bool:
        return bool(self._lines)

    @property
    def text(self) -> str:
        return "".join(self._lines)

    def add(self, line: bytes) -> bool:
        """Add a line; whether the script is complete (or can never be)."""
        text = line.decode(errors="surrogateescape")
        self._lines.append(text)
        if self._awaited is not None and text.strip("\t\n") != self._awaited:
            return False
        return not self._is_incomplete()

    def _is_incomplete(self) -> bool:
        parser = Parser(self.text)
        self._awaited = None
        try:
            while parser.parse_next() is not None:
                pass
        except IncompleteScriptError as error:
            self._awaited = error.delimiter
            return True
        except ShellSyntaxError:
            return False
        return self._lines[-1].endswith("\\\n")
