"""Reading the nodes of all hosts again and again, without letting a silent one hold up the rest."""

from __future__ import annotations

import asyncio
import contextlib
import time

from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.inventory.domain.entities import Host
from services.inventory.proxmox.fleet import Fleet, list_doors
from services.inventory.proxmox.isolation import isolate_host
from services.inventory.proxmox.nodes import read_nodes
from services.inventory.proxmox.ways import Ways
from services.inventory.store import SqlHostStore

log = get_logger()

_LONGEST_SILENCE_S = 300.0
_HOST_TIMEOUT_S = 40.0


async def sync_host(store: SqlHostStore, fleet: Fleet, ways: Ways, *, host: Host) -> int:
    """Read the nodes of a host and how commands get in, write them down, and return how many nodes there are.

    Raises:
        DomainError: it does not answer or refuses; that is written down too.
    """
    try:
        async with isolate_host(host, timeout_s=_HOST_TIMEOUT_S):
            client = await fleet.get_client_of(host)
            version, found = await read_nodes(client)
            client.use_doors(list_doors(found))
            way = await ways.find_way(client)
    except DomainError as error:
        await store.note_silence(host.id, error.message)
        raise
    await store.note_answer(host.id, version=version, found=found, exec_mode=way.mode)
    return len(found)


class NodeSync:
    """Keeps the nodes of all hosts up to date; silent hosts are asked less and less often."""

    def __init__(self, store: SqlHostStore, fleet: Fleet, ways: Ways, *, every_s: float) -> None:
        self._store = store
        self._fleet = fleet
        self._ways = ways
        self._every = every_s
        self._wake = asyncio.Event()
        self._due: dict[int, tuple[float, float]] = {}
        self._reading: dict[int, asyncio.Task[None]] = {}
        self._again: set[int] = set()

    def wake(self) -> None:
        """Look again now, at all hosts; one that is being read is read once more."""
        self._due.clear()
        self._again.update(self._reading)
        self._wake.set()

    async def run(self) -> None:
        """Keep reading, for ever; a host that takes long delays no round of the others."""
        try:
            while True:
                try:
                    await self._start_due()
                except DomainError as error:
                    log.warning("node_sync_waits", error=error.message)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._every):  # wait_for of Python 3.11 loses a cancellation
                        await self._wake.wait()
                self._wake.clear()
        finally:
            for task in self._reading.values():
                task.cancel()

    async def sync_due(self) -> None:
        """Read every active host whose turn it is, all at once, and wait for the last of them."""
        await asyncio.gather(*await self._start_due())

    async def _start_due(self) -> list[asyncio.Task[None]]:
        hosts = [host for host in await self._store.list_hosts() if host.is_active]
        moment = time.monotonic()
        return [
            self._start(host)
            for host in hosts
            if host.id not in self._reading and self._due.get(host.id, (0.0, 0.0))[0] <= moment
        ]

    def _start(self, host: Host) -> asyncio.Task[None]:
        def forget(_: asyncio.Task[None]) -> None:
            self._reading.pop(host.id, None)
            if host.id in self._again:
                self._again.discard(host.id)
                self._due.pop(host.id, None)
                self._wake.set()

        task = self._reading[host.id] = asyncio.create_task(self._sync(host))
        task.add_done_callback(forget)
        return task

    async def _sync(self, host: Host) -> None:
        try:
            await sync_host(self._store, self._fleet, self._ways, host=host)
        except DomainError as error:
            silence = min(max(self._due.get(host.id, (0.0, 0.0))[1] * 2, self._every), _LONGEST_SILENCE_S)
            self._due[host.id] = (time.monotonic() + silence, silence)
            log.warning("host_silent", host_id=host.id, error=error.message)
        except Exception:  # one host's trouble must not end the reading of all
            self._due[host.id] = (time.monotonic() + self._every, self._every)
            log.exception("node_sync_failed", host_id=host.id)
        else:
            self._due.pop(host.id, None)
