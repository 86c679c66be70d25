"""Periodic read of the nodes of all hosts; a host that does not answer delays no other."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from datetime import datetime

from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.inventory.domain.entities import Host
from services.inventory.domain.errors import HostCredentialsRefusedError
from services.inventory.domain.interfaces import ContainerAccess, HostStore, ProxmoxFleet
from services.inventory.usecases.hosts import sync_nodes

log = get_logger()

ExpiryReader = Callable[[str, int], Awaitable[datetime]]
"""Reads when the certificate of a server, by host and port, expires."""
_CERTIFICATES_S = (
    3600.0  # between two reads: a certificate changes every few weeks, and the alert comes 14 days before
)
_LONGEST_BACKOFF_S = 300.0  # a host that is back is noticed after five minutes at most, or by a wake


class NodeSync:
    """Reads the nodes of all hosts at an interval; hosts that do not answer are read with exponential backoff."""

    def __init__(
        self,
        store: HostStore,
        fleet: ProxmoxFleet,
        *,
        access: ContainerAccess,
        every_s: float,
        read_expiry: ExpiryReader | None = None,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._access = access
        self._every = every_s
        self._read_expiry = read_expiry
        # Per host and address: when its certificates are read next, in monotonic seconds.
        self._expiry_due: dict[tuple[int, str], float] = {}
        self._wake = asyncio.Event()
        # Per host: when it is read next, in monotonic seconds, and its current backoff.
        self._due: dict[int, tuple[float, float]] = {}
        # Hosts that are being read: one that takes long is not read twice at once.
        self._reading: dict[int, asyncio.Task[None]] = {}
        # Hosts to read once more as soon as the read under way has ended.
        self._again: set[int] = set()
        # Names of the hosts whose credentials were refused at the last read.
        self._refused: dict[int, str] = {}

    def describe_refusal(self) -> str:
        """Name the active hosts that refuse their credentials, without reasons, since health is public; empty where none does."""
        if not self._refused:
            return ""
        names = ", ".join(sorted(self._refused.values()))
        return f"credentials are refused by Proxmox host {names}: PUT /api/proxmox/hosts/ID sets others"

    def wake(self) -> None:
        """Read all hosts now; one that is being read is read once more, as it may have been changed meanwhile."""
        self._due.clear()
        self._again.update(self._reading)
        self._wake.set()

    async def run(self) -> None:
        """Read the hosts in rounds until cancelled; a host that takes long delays no round of the others."""
        try:
            while True:
                try:
                    await self._start_due()
                except DomainError as error:
                    log.warning("node_sync_postponed", error=error.message)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._every):  # wait_for of Python 3.11 loses a cancellation
                        await self._wake.wait()
                self._wake.clear()
        finally:
            # Tasks that outlive the service would write to a closed database.
            for task in self._reading.values():
                task.cancel()

    async def sync_due(self) -> None:
        """Read every active host that is due, all at once, and wait for the last of them."""
        await asyncio.gather(*await self._start_due())

    async def _start_due(self) -> list[asyncio.Task[None]]:
        hosts = [host for host in await self._store.list_hosts() if host.is_active]
        # A host that is online answered another replica, or a read on request.
        self._refused = {
            host.id: host.name for host in hosts if host.id in self._refused and host.status != "online"
        }
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
            await sync_nodes(self._store, self._fleet, access=self._access, host=host)
        except DomainError as error:
            backoff = min(max(self._due.get(host.id, (0.0, 0.0))[1] * 2, self._every), _LONGEST_BACKOFF_S)
            self._due[host.id] = (time.monotonic() + backoff, backoff)
            log.warning("host_silent", host_id=host.id, error=error.message)
            self._note_refusal(host, is_refused=isinstance(error, HostCredentialsRefusedError))
        except Exception:  # a fault of one host must not end the job for all
            self._due[host.id] = (time.monotonic() + self._every, self._every)
            log.exception("node_sync_failed", host_id=host.id)
        else:
            self._due.pop(host.id, None)
            self._note_refusal(host, is_refused=False)
            await self._sync_certificate(host)

    async def _sync_certificate(self, host: Host) -> None:
        """Record when the first certificate of a host's nodes expires; a node that shows none now is left out."""
        moment = time.monotonic()
        place = (host.id, host.host)
        if self._read_expiry is None or self._expiry_due.get(place, 0.0) > moment:
            return
        self._expiry_due[place] = moment + _CERTIFICATES_S
        nodes = await self._store.list_nodes(host.id)
        addresses = {host.host, *(node.ip_address for node in nodes if node.status == "online")} - {""}
        answers = await asyncio.gather(
            *(self._read_expiry(address, host.port) for address in sorted(addresses)), return_exceptions=True
        )
        found = [answer for answer in answers if isinstance(answer, datetime)]
        if found:
            await self._store.note_certificate(host.id, min(found))

    def _note_refusal(self, host: Host, *, is_refused: bool) -> None:
        if is_refused:
            self._refused[host.id] = host.name
        else:
            self._refused.pop(host.id, None)
