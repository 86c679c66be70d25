"""One child process that is started again when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

_PR_SET_PDEATHSIG = 1
_FIRST_DELAY_S = 0.2
_LAST_DELAY_S = 10.0
_STEADY_S = 30.0  # who ran this long begins again with the first delay
_TAIL_BYTES = 16 * 1024  # of a log: more than its last line, a stack trace in JSON
_LINE_CHARACTERS = 500  # a few lines of a terminal
KEPT_LOG_BYTES = 20 * 1024 * 1024
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Spec:
    """What to run.

    Args:
        name: of the process and its log.
        arguments: the program and its arguments.
        environment: all of it.
        on_line: receives every line of standard output, which is logged too.
        user: whose process it is; None is this one's. PostgreSQL does not run as root.
    """

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    on_line: Callable[[str], None] | None = field(default=None, compare=False)
    user: str | None = None


class Child(Protocol):
    """What is used of `asyncio.subprocess.Process`."""

    @property
    def pid(self) -> int:
        """Its id."""

    @property
    def returncode(self) -> int | None:
        """Its status once it has ended; a signal's number is negative."""

    @property
    def stdout(self) -> asyncio.StreamReader | None:
        """What it says, where somebody reads it."""

    def send_signal(self, number: int, /) -> None:
        """Send a signal."""

    async def wait(self) -> int:
        """Wait for its status."""


def _die_with(parent: int) -> Callable[[], None]:
    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return prepare


def open_log(logs: Path, name: str) -> BinaryIO:
    """Open a process's log for appending; a long one becomes `.1` first."""
    logs.mkdir(parents=True, exist_ok=True, mode=0o700)
    file = logs / f"{name}.log"
    with contextlib.suppress(FileNotFoundError):
        if file.stat().st_size > KEPT_LOG_BYTES:
            file.replace(logs / f"{name}.log.1")
    return file.open("ab")


def read_last_line(file: Path) -> str:
    """Return the last line of a log that is not blank, cut to `_LINE_CHARACTERS`; empty where there is none."""
    try:
        with file.open("rb") as log:
            log.seek(max(0, file.stat().st_size - _TAIL_BYTES))
            lines = log.read().decode("utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip()[:_LINE_CHARACTERS] if lines else ""


async def spawn(spec: Spec, logs: Path, *, is_asked: bool = False) -> asyncio.subprocess.Process:
    """Start it once, in a session of its own, to die with this process whatever ends it.

    Where `is_asked`, its standard input and output are pipes.

    The kernel counts the thread that started a child as its parent: call it from the main thread.
    """
    with open_log(logs, spec.name) as log:
        return await asyncio.create_subprocess_exec(
            *spec.arguments,
            env=dict(spec.environment),
            stdin=asyncio.subprocess.PIPE if is_asked else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE if spec.on_line or is_asked else log,
            stderr=log,
            start_new_session=True,
            user=spec.user,
            preexec_fn=_die_with(os.getpid()),
        )


class Supervised:
    """A process that is restarted until `stop`.

    Args:
        spec: what to run.
        logs: the folder of its log.
        report: called when it ends.
        longest_delay: seconds before it is started again when it ends over and over.
        start: starts it once.
    """

    def __init__(
        self,
        spec: Spec,
        logs: Path,
        *,
        report: Callable[[str], None],
        longest_delay: float = _LAST_DELAY_S,
        start: Callable[[Spec, Path], Awaitable[Child]] = spawn,
    ) -> None:
        self.spec = spec
        self.restarts = 0
        self.last_code: int | str | None = None
        self._logs = logs
        self._report = report
        self._longest_delay = longest_delay
        self._spawn = start
        self._process: Child | None = None
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return self._process.pid if self._process and self._process.returncode is None else None

    def start(self) -> None:
        """Begin to keep it running."""
        self._task = asyncio.create_task(self._keep(), name=self.spec.name)

    async def stop(self, *, timeout: float) -> None:
        """Ask it to end with SIGTERM, and kill it when it has not after `timeout` seconds."""
        self._stopping.set()
        self._signal(signal.SIGTERM)
        if self._task is None:
            return
        _, pending = await asyncio.wait({self._task}, timeout=timeout)
        if pending:
            self._report(f"{self.spec.name} did not end within {timeout:g} s and was killed")
            self._signal(signal.SIGKILL)
            await asyncio.wait({self._task}, timeout=2)

    def start_again(self) -> None:
        """Ask the process to end; it is started again at once."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def _keep(self) -> None:
        delay = _FIRST_DELAY_S
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._run_once()
            if self._stopping.is_set():
                return
            if time.monotonic() - began > _STEADY_S:
                delay = _FIRST_DELAY_S
            self.last_code = code
            # A process that ends once may have been killed; the reason matters when it ends again and again.
            reason = "" if delay == _FIRST_DELAY_S else await asyncio.to_thread(self._describe_end)
            self._report(
                f"{self.spec.name} ended with status {code}; starting it again in {delay:g} s{reason}"
            )
            self.restarts += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
            delay = min(delay * 2, self._longest_delay)

    def _describe_end(self) -> str:
        """The last line of its log and where more of it is; empty where the log is."""
        file = self._logs / f"{self.spec.name}.log"
        last = read_last_line(file)
        return f": {last}; see {file}" if last else ""

    async def _run_once(self) -> int | str:
        try:
            self._process = await self._spawn(self.spec, self._logs)
        except OSError as error:
            return str(error)
        if self._stopping.is_set():
            self._signal(signal.SIGTERM)
        if self.spec.on_line is not None and self._process.stdout is not None:
            await self._read_lines(self._process.stdout, self.spec.on_line)
        return await self._process.wait()

    async def _read_lines(self, stream: asyncio.StreamReader, on_line: Callable[[str], None]) -> None:
        with open_log(self._logs, self.spec.name) as log:
            async for line in stream:
                with contextlib.suppress(OSError):  # the disk may be full
                    log.write(line)
                    log.flush()
                on_line(line.decode(errors="replace"))
