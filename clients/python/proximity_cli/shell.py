"""shell: a terminal in the container of an app."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from types import FrameType
from typing import Any

import grpc
import typer
from proximity.apps.v1 import apps_service_pb2 as pb

from proximity_cli.apps import AppId
from proximity_cli.connection import Platform, connect
from proximity_cli.failures import INTERRUPTED, CliError
from proximity_cli.output import complaints, with_output

_CHUNK = 4096  # bytes of one read: a pasted text comes in several
_FRESH_S = 30 * 60.0  # a terminal ends with its token, which lasts an hour, unless it gets a newer one
_RENEW_S = 60.0  # between two looks at how long the token lasts
_END_OF_INPUT = b"\x04"
_ENTER = b"\r\n"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(with_output(shell))


def shell(app_id: AppId) -> None:
    """Open a shell in the container of an app. It ends with `exit`; Enter, ~ and . cut the connection.

    The exit status is that of the shell. What is piped in is typed, and the shell ends behind it.
    """
    platform = connect()
    platform.freshen(_FRESH_S)
    raise typer.Exit(run_shell(platform, app_id))


def run_shell(platform: Platform, app_id: str) -> int:
    """Attach this terminal to a shell, and return the exit status of the shell.

    Raises:
        grpc.RpcError: refused, or the connection broke.
        CliError: it ended without an exit status.
    """
    keyboard = Keyboard(app_id)
    call: Any = platform.stream(platform.apps.AttachTerminal, iter(keyboard))
    keyboard.on_leave = call.cancel
    with contextlib.ExitStack() as stack:
        stack.callback(keyboard.close)
        stack.enter_context(renewing(platform, keyboard))
        try:
            for number, piece in enumerate(call):
                if number == 0:  # it runs: until then errors are printed, and keys belong to nobody
                    stack.enter_context(keyboard.typing())
                _write(piece.data)
                if piece.HasField("exit_status"):
                    return int(piece.exit_status)
        except grpc.RpcError:
            if not keyboard.has_left:
                raise
            stack.close()
            complaints.print("The connection was cut; the shell has ended.")
            return INTERRUPTED
    raise CliError("The terminal ended without an exit status")


@contextlib.contextmanager
def renewing(platform: Platform, keyboard: Keyboard, every_s: float = _RENEW_S) -> Iterator[None]:
    """Send a newer token now and then, so that a terminal in use does not end with the one it began with."""
    is_over = threading.Event()

    def renew() -> None:
        while not is_over.wait(every_s):
            before = platform.session.access
            # The token lasts for more attempts; when it ends, the service says so.
            with contextlib.suppress(grpc.RpcError, OSError, CliError):
                platform.freshen(_FRESH_S)
            if platform.session.access != before:
                keyboard.renew(platform.session.access)

    thread = threading.Thread(target=renew, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()


class Keyboard:
    """What is typed here, as messages for the shell.

    Attributes:
        has_left: whether the person cut the connection.
        on_leave: called when they do.
    """

    def __init__(self, app_id: str) -> None:
        self._queue: SimpleQueue[pb.TerminalInput | None] = SimpleQueue()
        self._escape = EscapeSequence()
        self.has_left = False
        self.on_leave: Callable[[], object] = bool
        columns, rows = find_size()
        self._queue.put(pb.TerminalInput(app_id=app_id, columns=columns, rows=rows))

    def __iter__(self) -> Iterator[pb.TerminalInput]:
        """Yield the messages until the input ends."""
        while (message := self._queue.get()) is not None:
            yield message

    @contextlib.contextmanager
    def typing(self) -> Iterator[None]:
        """Pass on every key as it is, and the size of the terminal, for as long as the context lasts."""
        is_terminal = sys.stdin.isatty()
        before = termios.tcgetattr(sys.stdin) if is_terminal else None
        handler = signal.signal(signal.SIGWINCH, self._resize)
        try:
            if is_terminal:
                tty.setraw(sys.stdin)
            threading.Thread(target=self._read, args=(is_terminal,), daemon=True).start()
            yield
        finally:
            signal.signal(signal.SIGWINCH, handler)
            if before is not None:
                termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)

    def renew(self, token: str) -> None:
        """Go on with a newer token."""
        self._queue.put(pb.TerminalInput(token=token))

    def close(self) -> None:
        """End the messages."""
        self._queue.put(None)

    def _resize(self, _number: int, _frame: FrameType | None) -> None:
        columns, rows = find_size()
        self._queue.put(pb.TerminalInput(columns=columns, rows=rows))

    def _read(self, is_terminal: bool) -> None:
        last = b"\n"
        while data := os.read(sys.stdin.fileno(), _CHUNK):
            if is_terminal:
                data = self._escape.filter(data)
                if self._escape.is_complete:
                    self.has_left = True
                    self.on_leave()
                    return
            if data:
                self._queue.put(pb.TerminalInput(data=data))
                last = data[-1:]
        # In the middle of a line the first one only hands over what was typed.
        ends = 1 if last in _ENTER else 2
        self._queue.put(pb.TerminalInput(data=_END_OF_INPUT * ends))
        self.close()


class EscapeSequence:
    """Finds `~.` at the beginning of a line, as ssh does; `~~` there is a tilde.

    Attributes:
        is_complete: whether it was found.
    """

    def __init__(self) -> None:
        self.is_complete = False
        self._begins_line = True
        self._has_tilde = False

    def filter(self, data: bytes) -> bytes:
        """Return what is to be sent of typed bytes; a tilde at the beginning of a line waits for the next key."""
        sent = bytearray()
        for code in data:
            key = bytes((code,))
            if self._has_tilde:
                self._has_tilde = False
                if key == b".":
                    self.is_complete = True
                    return bytes(sent)
                sent += b"~" if key == b"~" else b"~" + key
            elif self._begins_line and key == b"~":
                self._has_tilde = True
                continue
            else:
                sent += key
            self._begins_line = key in (b"\r", b"\n")
        return bytes(sent)


def find_size() -> tuple[int | None, int | None]:
    """Return columns and rows of the terminal; None where there is none."""
    for stream in (sys.stdout, sys.stdin, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            found = os.get_terminal_size(stream.fileno())
            if found.columns and found.lines:
                return min(found.columns, 1000), min(found.lines, 1000)
    return None, None


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
