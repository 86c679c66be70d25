"""An interactive shell: prompts on a terminal, reads lines, runs them."""

import asyncio

from tests.pvesim.guest.machine import Process
from tests.pvesim.guest.shell.interpreter import Shell
from tests.pvesim.guest.shell.parser import Parser
from tests.pvesim.guest.shell.state import ExpansionError, LeaveError, LoopError, SpecialBuiltinError
from tests.pvesim.guest.shell.syntax import IncompleteScriptError, ShellSyntaxError
from tests.pvesim.guest.tty import LINE_LIMIT, Tty

BUSYBOX_LIMIT = 1022
"""Bytes of a line that busybox's line editor takes, which reads the lines at Alpine's prompt."""
BRACKETS_ON, BRACKETS_OFF, ASK_POSITION = b"\x1b[?2004h", b"\x1b[?2004l\r", b"\x1b[6n"
INTERRUPTED = 130


async def run_interactive(process: Process, shell: Shell) -> int:
    """Run a shell on the terminal of a process until it ends; returns its exit code."""
    tty = process.terminal
    assert tty is not None
    script = Script()
    while True:
        line = await _read_at_prompt(process, shell, tty, continued=bool(script))
        if line == b"\x03":
            tty.send(b"^C\r\n")
            script = Script()
        elif not line:
            break
        elif script.add(line):
            status = await _run_script(process, shell, tty, script.text)
            if status is not None:
                shell.state.status = status
                break
            script = Script()
    tty.send(b"exit\r\n")
    return shell.state.status


async def _read_at_prompt(process: Process, shell: Shell, tty: Tty, *, continued: bool) -> bytes:
    cwd, host = shell.state.cwd, process.machine.hostname
    if cwd.startswith("/root"):
        cwd = cwd.replace("/root", "~", 1)
    is_busybox = process.machine.flavour == "alpine"
    is_debian = process.machine.flavour == "debian"
    prompt = "> " if continued else f"root@{host}:{cwd}# " if is_debian else f"{host}:{cwd}# "
    tty.send((BRACKETS_ON if is_debian else b"") + prompt.encode() + (b"" if is_debian else ASK_POSITION))
    tty.asks_position = not is_debian
    tty.prompt_limit = BUSYBOX_LIMIT if is_busybox else LINE_LIMIT
    tty.foreground.append(None)
    try:
        line = await tty.read_line()
    finally:
        tty.foreground.pop()
    if is_debian:
        tty.send(BRACKETS_OFF)
    return line


async def _run_script(process: Process, shell: Shell, tty: Tty, script: str) -> int | None:
    """Run a complete script; the exit code when the shell is to end."""
    if script.strip():
        process.machine.record_typed(process.world, script)
    command = asyncio.get_running_loop().create_task(_execute(shell, script))
    tty.foreground.append(command)
    try:
        await asyncio.wait((command,))
        if command.cancelled():
            shell.state.status = INTERRUPTED
            tty.send(b"\r\n")
            return None
        status = command.result()
    finally:
        command.cancel()
        tty.foreground.pop()
    await process.machine.settle(process.world)
    return None if status < 0 else status


async def _execute(shell: Shell, script: str) -> int:
    """Run a script; the exit code when the shell is to end, else -1."""
    try:
        await shell.run_script(script)
    except SpecialBuiltinError as failure:
        shell.state.status = failure.status
    except LeaveError as leave:
        return leave.status
    except ExpansionError as error:
        shell.state.status = shell.complain(str(error), status=1)
    except LoopError:
        shell.state.status = 0
    return -1


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
