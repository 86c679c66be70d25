"""`proximity shell` at a terminal, in a pipe, and with what goes wrong."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time
import uuid
from collections.abc import Iterator

import pytest

from tests.e2e.command_line import Terminal
from tests.e2e.stack import RunningStack

END_S = 60.0
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def terminal(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    terminal = Terminal(tmp_path_factory.mktemp("shell"))
    terminal.sign_in(stack.url)
    return terminal


@pytest.fixture(scope="module")
def app_id(terminal: Terminal) -> str:
    hostname = f"sh-{uuid.uuid4().hex[:8]}"
    return str(terminal.read("deploy", "adminer", hostname, "--memory", "512")["id"])


class Pty:
    """A command on a pseudo-terminal."""

    def __init__(self, terminal: Terminal, *arguments: str) -> None:
        command = [sys.executable, "-m", "proximity_cli", *arguments]
        self.shown = b""
        self.pid, self.file = pty.fork()
        if self.pid == 0:  # the child: nothing but the command
            os.execve(sys.executable, command, terminal.environment)
        self.resize(90, 20)
        self.before = termios.tcgetattr(self.file)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, data: bytes) -> None:
        os.write(self.file, data)

    def find(self, text: bytes) -> None:
        """Wait until a text is shown, and forget everything until then."""
        end = time.monotonic() + END_S
        while text not in self.shown:
            assert time.monotonic() < end, (text, self.shown)
            self._read()
        self.shown = self.shown.partition(text)[2]

    def end(self) -> int:
        """Wait for the end; returns the exit status."""
        end = time.monotonic() + END_S
        while time.monotonic() < end:
            self._read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._read()
                return os.waitstatus_to_exitcode(status)
        raise AssertionError(f"it does not end: {self.shown!r}")

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            if select.select([self.file], [], [], 0.2)[0]:
                self.shown += os.read(self.file, 65536)


@contextlib.contextmanager
def run(terminal: Terminal, *arguments: str) -> Iterator[Pty]:
    command = Pty(terminal, *arguments)
    try:
        yield command
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(command.pid, 9)
            os.waitpid(command.pid, 0)
        os.close(command.file)


def test_a_shell_follows_the_size_and_passes_its_status_on(terminal: Terminal, app_id: str) -> None:
    with run(terminal, "shell", app_id) as shell:
        shell.find(b"# ")
        shell.type(b"stty size\r")
        shell.find(b"20 90\r\n")
        shell.resize(111, 44)
        # The signal and its message may come later than what is typed next.
        shell.type(b"until [ \"$(stty size)\" = '44 111' ]; do sleep 0.1; done; echo re''sized\r")
        shell.find(b"resized\r\n")
        shell.type(b"exit 5\r")
        assert shell.end() == 5
        assert termios.tcgetattr(shell.file) == shell.before  # the terminal is as it was


def test_interrupts_go_to_the_container_and_an_escape_cuts_the_connection(
    terminal: Terminal, app_id: str
) -> None:
    with run(terminal, "shell", app_id) as shell:
        shell.find(b"# ")
        shell.type(b"echo be''gun; sleep 600\r")
        shell.find(b"begun\r\n")
        shell.type(b"\x03")
        shell.find(b"^C")
        shell.find(b"# ")
        shell.type(b"echo ~~ a~.b\r")  # no escape: it is not at the beginning of the line
        shell.find(b"a~.b\r\n")
        shell.type(b"\r~.")
        assert shell.end() == 130
        assert b"was cut" in shell.shown


def test_what_is_piped_in_is_typed_and_its_status_passed_on(terminal: Terminal, app_id: str) -> None:
    done = terminal.run("shell", app_id, stdin="hostname; exit 3\n", status=3)
    assert app_id.rpartition("-")[0] not in done.stderr
    assert "\nsh-" in done.stdout
    assert "Linux" in terminal.run("shell", app_id, stdin="uname -a").stdout


def test_refusals_are_sentences_and_leave_the_terminal_alone(terminal: Terminal, app_id: str) -> None:
    with run(terminal, "shell", "nobody-00000000") as shell:
        shell.find(b"there is no app nobody-00000000")
        assert shell.end() == 5
        assert termios.tcgetattr(shell.file) == shell.before
    terminal.run("stop", app_id)
    refused = terminal.run("shell", app_id, status=1)
    assert "does not run; start it first" in refused.stderr
    terminal.run("start", app_id)
