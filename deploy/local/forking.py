"""Children that are forked from a zygote, where their program is one of ours in Python."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.local.process import Child, Spec, open_log, spawn

_MODULE = (sys.executable, "-m")


class Forked:
    """A child of the zygote, with what is used of `asyncio.subprocess.Process`."""

    stdout: asyncio.StreamReader | None = None

    def __init__(self, zygote: Zygote, number: int) -> None:
        self.pid = 0
        self.returncode: int | None = None
        self.began = asyncio.Event()
        self.ended = asyncio.Event()
        self._zygote = zygote
        self._number = number

    def send_signal(self, number: int) -> None:
        """See `Process`."""
        self._zygote.tell({"number": self._number, "signal": int(number)})

    async def wait(self) -> int:
        """See `Process`."""
        await self.ended.wait()
        return -1 if self.returncode is None else self.returncode


class Zygote:
    """Starts children: what is `python -m …` by a fork of a process that has imported it, anything else anew.

    That process is started with the first child and again after it has ended, which its children do not survive.

    Args:
        environment: its own; the forks get theirs.
        logs: the folder of its log.
        modules: what is imported before anything is forked; nothing of it may start a thread.
    """

    def __init__(self, environment: Mapping[str, str], logs: Path, *, modules: Sequence[str] = ()) -> None:
        self._spec = Spec("zygote", (*_MODULE, "deploy.local.zygote", *modules), environment)
        self._logs = logs
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self._children: dict[int, Forked] = {}
        self._numbers = itertools.count(1)
        self._starting = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """Of the process that is forked."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Begin with the imports."""
        async with self._starting:
            if self.pid is None:
                self._process = await spawn(self._spec, self._logs, is_asked=True)
                self._listening = asyncio.create_task(self._listen(self._process))

    async def spawn(self, spec: Spec, logs: Path) -> Child:
        """Start a child.

        Raises:
            OSError: it could not be started.
        """
        if spec.on_line is not None or spec.user is not None or spec.arguments[:2] != _MODULE:
            return await spawn(spec, logs)
        await self.start()
        open_log(logs, spec.name).close()
        number = next(self._numbers)
        child = self._children[number] = Forked(self, number)
        order = {"name": spec.name, "arguments": spec.arguments[2:], "log": str(logs / f"{spec.name}.log")}
        self.tell({"number": number, "environment": dict(spec.environment), **order})
        await child.began.wait()
        if not child.pid:
            raise OSError(f"there is nothing to fork from: see {self._logs}/zygote.log")
        return child

    def tell(self, order: Mapping[str, Any]) -> None:
        """Give an order; none arrives where the process has ended."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(json.dumps(dict(order)).encode() + b"\n")

    async def stop(self) -> None:
        """End the process that is forked, once its children have ended."""
        if self._process is None or self._listening is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._listening), 1)
        if self.pid is not None:
            os.kill(self._process.pid, 9)
        await self._listening

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self._note(**json.loads(line))
        await process.wait()
        for number in list(self._children):
            self._note(number)

    def _note(self, number: int, *, pid: int | None = None, status: int = -1) -> None:
        """A child has begun, where it has a pid, or ended."""
        child = self._children[number]
        if pid is not None:
            child.pid = pid
        else:
            del self._children[number]
            child.returncode = status
            child.ended.set()
        child.began.set()
