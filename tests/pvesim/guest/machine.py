"""What runs commands: a guest or a node. Commands register here by name."""

import asyncio
import posixpath
import re
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.pvesim.guest.filesystem import FileSystem, FsError
from tests.pvesim.guest.streams import Sink, Source
from tests.pvesim.guest.tty import Tty
from tests.pvesim.guest.world import World

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOT_EXECUTABLE = 126
NOT_KNOWN = 127


@dataclass(slots=True)
class Process:
    """A command being run."""

    machine: "Machine"
    world: World
    argv: list[str]
    env: dict[str, str]
    cwd: str
    stdin: Source
    stdout: Sink
    stderr: Sink
    terminal: Tty | None = None
    depth: int = 0

    @property
    def fs(self) -> FileSystem:
        return self.machine.fs

    @property
    def args(self) -> list[str]:
        return self.argv[1:]

    @property
    def name(self) -> str:
        return posixpath.basename(self.argv[0])

    def path(self, name: str) -> str:
        """An absolute path."""
        return posixpath.join(self.cwd, name)

    def say(self, text: str, *, end: str = "\n") -> int:
        """Print a line; the exit code of success."""
        self.stdout.write((text + end).encode())
        return 0

    def fail(self, text: str, code: int = 1) -> int:
        """Print `name: text` to standard error; returns the exit code."""
        return self.complain(f"{self.name}: {text}", code)

    def complain(self, text: str, code: int = 1) -> int:
        """Print a line to standard error; returns the exit code."""
        self.stderr.write((text + "\n").encode())
        return code

    async def read_file(self, name: str, size: int = -1) -> bytes:
        """A file's content; `-` and /dev/stdin are standard input."""
        if name in ("-", "/dev/stdin"):
            return await (self.stdin.read_all() if size < 0 else self.stdin.read_some(size))
        return self.fs.read(self.path(name), size)

    def derive(self, argv: list[str]) -> "Process":
        """The same process about to run other words."""
        return replace(self, argv=argv, env=dict(self.env), depth=self.depth + 1)


Command = Callable[[Process], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Registered:
    """A command, and the packages any one of which brings it (none: it is always there)."""

    run: Command
    packages: frozenset[str]
    directory: str


COMMANDS: dict[str, Registered] = {}


def command(
    *names: str, packages: Collection[str] = (), directory: str = "/usr/bin"
) -> Callable[[Command], Command]:
    """Register a function as these commands."""

    def register(run: Command) -> Command:
        for name in names:
            COMMANDS[name] = Registered(run, frozenset(packages), directory)
        return run

    return register


class Machine:
    """Has files, a name and installed packages, and runs commands."""

    key = ""
    flavour = ""

    def __init__(self, fs: FileSystem, *, hostname: str, packages: set[str]) -> None:
        self.fs = fs
        self.hostname = hostname
        self.packages = packages
        self._jobs: dict[int, asyncio.Task[int]] = {}

    def add_job(self, work: Coroutine[Any, Any, int]) -> int:
        """Run work in the background; returns its pid."""
        pid = 1000 + len(self._jobs)
        self._jobs[pid] = asyncio.get_running_loop().create_task(work)
        return pid

    async def wait_jobs(self, pids: Sequence[int] = ()) -> int:
        """Wait for these background jobs, or for all; the status of the last one."""
        status = 0
        for pid in pids or list(self._jobs):
            if pid in self._jobs:
                status = await self._jobs[pid]
        return status

    def is_job_running(self, pid: int) -> bool:
        return pid in self._jobs and not self._jobs[pid].done()

    def stop_jobs(self, pids: Sequence[int] = ()) -> None:
        """Kill these background jobs, or all."""
        for pid in pids or list(self._jobs):
            job = self._jobs.pop(pid, None)
            if job and not job.done():
                job.cancel()

    def login_env(self) -> dict[str, str]:
        """The environment that commands from outside get."""
        return {"PATH": PATH, "HOME": "/root", "USER": "root", "TERM": "linux"}

    def record_typed(self, world: World, script: str) -> None:
        """Record what was typed at the prompt of an interactive shell."""
        world.record(self.key, ("console",), raw=script)

    async def settle(self, world: World) -> None:
        """Tell the API side what a command may have changed."""

    def find_registered(self, name: str) -> Registered | None:
        """The built-in command of that name, when what brings it is installed."""
        found = COMMANDS.get(name)
        if found and (not found.packages or found.packages & self.packages):
            return found
        return None

    def find_path(self, name: str, *, search: str = PATH) -> str | None:
        """Where a command is, as `command -v` says."""
        if "/" in name:
            return name if self.fs.is_file(name) or self._is_builtin_path(name) else None
        for directory in search.split(":"):
            place = posixpath.join(directory, name)
            entry = self.fs.find(place)
            if entry and entry.kind == "f" and entry.mode & 0o111:
                return place
        found = self.find_registered(name)
        return posixpath.join(found.directory, name) if found else None

    def _is_builtin_path(self, path: str) -> bool:
        directory, name = posixpath.split(path)
        return directory in PATH.split(":") and self.find_registered(name) is not None

    async def spawn(self, process: Process) -> int | None:
        """Run a process; None when there is no such command.

        Raises:
            FsError: it touched a file in a way that the command itself did not handle.
        """
        path = self.find_path(process.argv[0], search=process.env.get("PATH", PATH))
        if path is None:
            return None
        entry = self.fs.find(posixpath.join(process.cwd, path))
        if entry is None or entry.kind != "f":
            return await self._run_builtin(process)
        if not entry.mode & 0o111:
            return process.complain(f"{process.argv[0]}: Permission denied", NOT_EXECUTABLE)
        return await self._run_script(process, posixpath.join(process.cwd, path))

    async def _run_builtin(self, process: Process) -> int:
        found = self.find_registered(process.name)
        assert found is not None
        try:
            return await found.run(process)
        except FsError as error:
            return process.fail(str(error))
        except (IndexError, ValueError, re.error) as error:
            return process.fail(f"missing or invalid operand: {error}")

    async def _run_script(self, process: Process, path: str) -> int:
        first, _, _ = self.fs.read(path).partition(b"\n")
        interpreter = first[2:].decode(errors="replace").split() if first.startswith(b"#!") else ["/bin/sh"]
        if posixpath.basename(interpreter[0]) == "env":
            interpreter = interpreter[1:]
        code = await self.spawn(process.derive([*interpreter, path, *process.args]))
        return process.complain(f"{process.argv[0]}: not found", NOT_KNOWN) if code is None else code
