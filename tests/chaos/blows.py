"""Carrying out what strikes the platform."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any

import requests

from services.common.db.database import Database, create_engine
from tests.chaos.choices import AWAY_S, LOCKS, Blow
from tests.chaos.evidence import read_backups
from tests.chaos.platform import Platform
from tests.chaos.prey import Prey
from tests.chaos.topology import NODES, UNTOUCHED, VAULT

# PostgreSQL waits for its clients after SIGTERM, however long they stay.
_END = {"postgres": signal.SIGINT}
_PROXMOX = ("proxmox", "ssh")
_AMBUSH_S = 0.05  # between two looks for an operation: a removal takes about a second
_LOOK_S = 2.0  # between two looks whether the simulator still knows a fault
_ATTACH_S, _DEAF_S = (
    0.02,
    3.0,
)  # how long a console loses what is typed: as the simulator begins, and a slow node


class Storm:
    """Strikes, and calms everything down again.

    Args:
        platform: what is struck.

    Attributes:
        deaths: `kill` or `outage`, and the operation in which it struck.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._lasting: set[asyncio.Task[None]] = set()
        self._away: set[str] = set()  # links in an outage, which no shorter blow ends
        self._outages = 0
        self._silences: set[asyncio.Task[None]] = set()
        self._ambushes: Counter[tuple[str, str]] = Counter()  # that have struck nothing yet
        # One thread for all: `Database.close` waits for it, so that a query of a cancelled task leaves no connection open.
        self._db = Database(create_engine(platform.database_url, service="backups", pool_size=1), threads=1)
        self._prey = Prey(self._db)
        self.deaths: list[tuple[str, str]] = []

    async def rage(self, blows: Sequence[Blow], *, began: float) -> None:
        """Carry out every blow at its time after `began` of the monotonic clock."""
        for blow in blows:
            await asyncio.sleep(max(0.0, began + blow.at - time.monotonic()))
            self._strike(blow)

    async def end_faults(self, _: Blow | None = None) -> None:
        """End the faults of Proxmox, those too that wait for a request."""
        for task in self._silences:  # they would demand theirs again
            task.cancel()
        self._silences.clear()
        await self._tell("DELETE", "/faults")
        for node in NODES:
            await self._tell("PATCH", f"/nodes/{node}", {"online": True})

    async def verify(self, _: Blow | None = None) -> None:
        """Have the Proxmox Backup Server verify every archive that it has."""
        with contextlib.suppress(requests.RequestException):
            state = await asyncio.to_thread(self._platform.ask_simulator, "GET", "/state")
            for volume in state["volumes"]:
                if volume["volid"].startswith(f"{VAULT}:") and not volume.get("verification"):
                    await self._tell("PATCH", "/volumes", {"volid": volume["volid"], "verification": "ok"})

    def add_ambush(self, kind: str, target: str) -> None:
        """Lie in ambush for an operation of the kind `target`, unless a blow of this kind does already."""
        if not self._ambushes[kind, target]:
            self._strike(Blow(0.0, kind, target, AWAY_S))

    async def read_backups(self) -> dict[str, Any]:
        """See `evidence.read_backups`.

        Raises:
            DatabaseUnavailableError, sqlalchemy.exc.SQLAlchemyError: the database does not answer.
        """
        return await self._db.read(read_backups)

    async def calm(self) -> None:
        """End every blow that lasts, and take back what stays by itself."""
        await self._end_lasting()
        for name in self._platform.processes:
            self._platform.signal(name, signal.SIGCONT)
        for link in self._platform.links.values():
            link.heal()
            await link.start()
        await self._platform.wait_until_healthy()
        await self.end_faults()
        await self._tell("PATCH", "/cluster", {"attach_seconds": _ATTACH_S})
        for vmid, lock in (await self._read_locks()).items():
            if lock in LOCKS:
                await self._tell("PATCH", f"/containers/{vmid}", {"lock": None})

    async def close(self) -> None:
        """End what still lasts, also after a storm that failed, and close the connection."""
        await self._end_lasting()
        await self._db.close()

    async def _end_lasting(self) -> None:
        for task in list(self._lasting):
            task.cancel()
        await asyncio.gather(*self._lasting, return_exceptions=True)

    def _strike(self, blow: Blow) -> None:
        match blow.kind:
            case "kill":
                self._platform.signal(blow.target, signal.SIGKILL)
            case "restart":
                self._platform.signal(blow.target, _END.get(blow.target, signal.SIGTERM))
            case "cut":
                self._platform.links[blow.target].cut()
            case kind:
                task = self._spawn(self._choose_lasting(kind)(blow))
                if kind == "silence":
                    self._silences.add(task)

    def _choose_lasting(self, kind: str) -> Callable[[Blow], Coroutine[Any, Any, None]]:
        lasting: dict[str, Callable[[Blow], Coroutine[Any, Any, None]]] = {
            "outage": self._go_away,
            "lock": self._lock,
            "deaf": self._deafen,
            "pause": self._pause,
            "hold": self._slow,
            "delay": self._slow,
            "offline": self._take_down,
            "fault": self._add_fault,
            "silence": self._silence,
            "verify": self.verify,
            "lull": self.end_faults,
            "ambush_kill": self._ambush,
            "ambush_outage": self._ambush,
        }
        return lasting[kind]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._lasting.add(task)
        task.add_done_callback(self._lasting.discard)
        return task

    async def _pause(self, blow: Blow) -> None:
        self._platform.signal(blow.target, signal.SIGSTOP)
        try:
            await asyncio.sleep(blow.seconds)
        finally:
            self._platform.signal(blow.target, signal.SIGCONT)

    async def _slow(self, blow: Blow) -> None:
        link = self._platform.links[blow.target]
        if link.name in self._away:
            return
        if blow.kind == "hold":
            link.hold()
        else:
            link.delay(0.15)
        try:
            await asyncio.sleep(blow.seconds)
        finally:
            if link.name not in self._away:
                link.heal()

    async def _go_away(self, blow: Blow) -> None:
        """Let Proxmox refuse every connection, or take them and say nothing."""
        links = [self._platform.links[name] for name in _PROXMOX]
        self._away.update(_PROXMOX)
        self._outages += 1
        for link in links:
            if blow.target == "silent":
                link.hold()
            else:
                link.shut()
        try:
            await asyncio.sleep(blow.seconds)
        finally:
            self._outages -= 1
            # Another one that began meanwhile lasts longer.
            for link in () if self._outages else links:
                self._away.discard(link.name)
                link.heal()
                await link.start()

    async def _silence(self, blow: Blow) -> None:
        """Have the next copy of a kind print nothing; a simulator that was started again has forgotten that."""
        wanted = dict(blow.rule)
        while True:
            with contextlib.suppress(requests.RequestException):
                found = await asyncio.to_thread(self._platform.ask_simulator, "GET", "/faults")
                same = [one for one in found["rules"] if wanted.items() <= one.items()]
                if any(one["struck"] for one in same):
                    return
                if not same:
                    await self._tell("POST", "/faults", [wanted])
            await asyncio.sleep(_LOOK_S)

    async def _ambush(self, blow: Blow) -> None:
        """Wait for an operation of a kind that a worker carries out, and kill that or take Proxmox away."""
        self._ambushes[blow.kind, blow.target] += 1
        try:
            operation, pid = await self._wait_for_prey(blow)
        finally:
            self._ambushes[blow.kind, blow.target] -= 1
        if blow.kind == "ambush_outage":
            self.deaths.append(("outage", operation))
            await self._go_away(replace(blow, target="refused"))
            return
        for process in self._platform.processes.values():
            if process.pid == pid:
                os.kill(pid, signal.SIGKILL)
                self.deaths.append(("kill", operation))

    async def _wait_for_prey(self, blow: Blow) -> tuple[str, int]:
        while True:
            is_possible = blow.kind == "ambush_kill" or not self._away
            found = await self._prey.find(blow.target, blow.kind) if is_possible else None
            if found is not None:
                return found
            await asyncio.sleep(_AMBUSH_S)

    async def _add_fault(self, blow: Blow) -> None:
        await self._tell("POST", "/faults", [dict(blow.rule)])

    async def _deafen(self, blow: Blow) -> None:
        """Take SSH away, so that commands go through consoles, and let those lose what is typed first."""
        link = self._platform.links[blow.target]
        if link.name in self._away:
            return
        await self._tell("PATCH", "/cluster", {"attach_seconds": _DEAF_S})
        link.shut()
        try:
            await asyncio.sleep(blow.seconds)
        finally:
            if link.name not in self._away:
                await link.start()
            await self._tell("PATCH", "/cluster", {"attach_seconds": _ATTACH_S})

    async def _lock(self, blow: Blow) -> None:
        """Lock a container that may be ours, as somebody at the node does."""
        free = [
            vmid for vmid, lock in (await self._read_locks()).items() if not lock and vmid not in UNTOUCHED
        ]
        if not free:
            return
        path = f"/containers/{free[int(blow.pick * len(free))]}"
        await self._tell("PATCH", path, {"lock": blow.target})
        try:
            await asyncio.sleep(blow.seconds)
        finally:
            await self._tell("PATCH", path, {"lock": None})

    async def _read_locks(self) -> dict[int, str]:
        """The locks of all containers, empty for none; nothing while the simulator is down."""
        with contextlib.suppress(requests.RequestException):
            state = await asyncio.to_thread(self._platform.ask_simulator, "GET", "/state")
            return {
                int(vmid): str(one["config"].get("lock", "")) for vmid, one in state["containers"].items()
            }
        return {}

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
