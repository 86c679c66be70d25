"""Carrying out what strikes the platform."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import requests

from tests.chaos.choices import Blow
from tests.chaos.platform import Platform
from tests.chaos.topology import NODES

# PostgreSQL waits for its clients after SIGTERM, however long they stay.
_END = {"postgres": signal.SIGINT}


class Storm:
    """Strikes, and calms everything down again.

    Args:
        platform: what is struck.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._lasting: set[asyncio.Task[None]] = set()

    async def rage(self, blows: Sequence[Blow], *, began: float) -> None:
        """Carry out every blow at its time after `began` of the monotonic clock."""
        for blow in blows:
            await asyncio.sleep(max(0.0, began + blow.at - time.monotonic()))
            self._strike(blow)

    async def calm(self) -> None:
        """End every blow that lasts, and take back what stays by itself."""
        for task in list(self._lasting):
            task.cancel()
        await asyncio.gather(*self._lasting, return_exceptions=True)
        for name in self._platform.processes:
            self._platform.signal(name, signal.SIGCONT)
        for link in self._platform.links.values():
            link.heal()
        await self._platform.wait_until_healthy()
        await self._tell("DELETE", "/faults")
        for node in NODES:
            await self._tell("PATCH", f"/nodes/{node}", {"online": True})

    def _strike(self, blow: Blow) -> None:
        match blow.kind:
            case "kill":
                self._platform.signal(blow.target, signal.SIGKILL)
            case "restart":
                self._platform.signal(blow.target, _END.get(blow.target, signal.SIGTERM))
            case "cut":
                self._platform.links[blow.target].cut()
            case "pause":
                self._spawn(self._pause(blow))
            case "hold" | "delay":
                self._spawn(self._slow(blow))
            case "offline":
                self._spawn(self._take_down(blow))
            case "fault":
                self._spawn(self._tell("POST", "/faults", [dict(blow.rule)]))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._lasting.add(task)
        task.add_done_callback(self._lasting.discard)

    async def _pause(self, blow: Blow) -> None:
        self._platform.signal(blow.target, signal.SIGSTOP)
        try:
            await asyncio.sleep(blow.seconds)
        finally:
            self._platform.signal(blow.target, signal.SIGCONT)

    async def _slow(self, blow: Blow) -> None:
        link = self._platform.links[blow.target]
        if blow.kind == "hold":
            link.hold()
        else:
            link.delay(0.15)
        try:
            await asyncio.sleep(blow.seconds)
        finally:
            link.heal()

    async def _take_down(self, blow: Blow) -> None:
        await self._tell("PATCH", f"/nodes/{blow.target}", {"online": False})
        try:
            await asyncio.sleep(blow.seconds)
        finally:
            await self._tell("PATCH", f"/nodes/{blow.target}", {"online": True})

    async def _tell(self, method: str, path: str, body: object = None) -> None:
        """Control the simulator; while it is down there is nothing to spoil."""
        with contextlib.suppress(requests.RequestException):
            await asyncio.to_thread(self._platform.ask_simulator, method, path, body)
