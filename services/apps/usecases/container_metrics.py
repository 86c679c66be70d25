"""Metrics of running containers, cached per host: single flight, one call a host for all requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from services.apps.domain.stamps import ListedStamp
from services.clients.inventory.interface import Containers
from services.clients.inventory.values import Container
from services.common.core.errors import DomainError

_FRESH_S = 2.0  # Proxmox itself measures every ten seconds
_AGAIN_S = 0.5  # between reads while an app waits for a container that the last one did not show
_STALE_S = 30.0  # older figures are not shown
_WAIT_S = 1.0  # for which a request waits for a host; then it is answered without metrics
_LIST_WAIT_S = 0.5  # for which a list waits for the first read of a host
_CALL_S = 10.0  # deadline of a read, which goes on after the request that began it
_SETTLED_S = 5.0  # Proxmox and the clocks of others may be so far behind


@dataclass
class _Host:
    """Containers of a host as last read, and the read under way."""

    containers: Mapping[int, Container] = field(default_factory=dict)
    called_at: float = -_STALE_S
    known_at: float = -_STALE_S
    known_as_of: float = 0.0  # seconds since the epoch
    reading: asyncio.Task[None] | None = None
    was_read: bool = False  # a read has ended, with or without an answer


class ContainerMetrics:
    """Cache of the containers of every host with requests.

    Args:
        containers: inventory.
    """

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._hosts: dict[int, _Host] = {}

    async def find(self, host_id: int, vmid: int, *, owner: str, changed_at: float) -> Container | None:
        """Return a container as it was at most 30 seconds ago, usually 2; None when its host does not answer within 1.

        Args:
            host_id: its host.
            vmid: its id there.
            owner: the app whose mark it must carry: figures of another container are not the app's.
            changed_at: when the app changed last, in seconds since the epoch: a host that listed no such container
                well after that is not waited for again.
        """
        host = self._hosts.setdefault(host_id, _Host())
        known = self._look(host, vmid, owner=owner, changed_at=changed_at)
        # A container of a host that was not read since the app changed may just have started.
        is_new = known is None and host.known_as_of < changed_at + _SETTLED_S
        age = time.monotonic() - host.called_at
        if age >= (_AGAIN_S if is_new else _FRESH_S):
            self._begin_read(host_id, host)
        # Only the first request for a started app waits; all others get what is known while the read goes on.
        if is_new and host.reading is not None:
            await asyncio.wait({host.reading}, timeout=_WAIT_S)
            return self._look(host, vmid, owner=owner, changed_at=changed_at)
        return known

    async def find_all(self, apps: Iterable[ListedStamp]) -> dict[str, Container]:
        """Return the containers of apps that run, by the id of the app, as they were at most 30 seconds ago.

        Only the first read of a host is waited for, for half a second at most: lists are answered at once, also while a host
        is silent.
        """
        listed = [(app, self._hosts.setdefault(app.host_id, _Host())) for app in apps]
        first: set[asyncio.Task[None]] = set()
        for host_id, host in {app.host_id: host for app, host in listed}.items():
            if time.monotonic() - host.called_at >= _FRESH_S:
                self._begin_read(host_id, host)
            if not host.was_read and host.reading is not None:
                first.add(host.reading)
        if first:
            await asyncio.wait(first, timeout=_LIST_WAIT_S)
        found = {
            app.id: self._look(host, app.vmid or 0, owner=app.id, changed_at=app.changed_at)
            for app, host in listed
        }
        return {app_id: container for app_id, container in found.items() if container is not None}

    @staticmethod
    def _look(host: _Host, vmid: int, *, owner: str, changed_at: float) -> Container | None:
        """Return the container; without a node where the app itself was changed later, and is more recent."""
        if time.monotonic() - host.known_at > _STALE_S:
            return None
        found = host.containers.get(vmid)
        if found is None or found.status != "running" or found.owner != owner:
            return None
        return found if host.known_as_of > changed_at else replace(found, node="")

    def _begin_read(self, host_id: int, host: _Host) -> None:
        if host.reading is None:
            host.called_at = time.monotonic()
            host.reading = asyncio.create_task(self._refresh(host_id, host))

    async def _refresh(self, host_id: int, host: _Host) -> None:
        try:
            # Taken before the call: an app that changes during the call counts as newer than the figures.
            as_of = time.time()
            scan = await self._containers.list_containers(host_id, brief=True, timeout=_CALL_S)
            host.containers = {container.vmid: container for container in scan.containers}
            host.known_at, host.known_as_of = time.monotonic(), as_of
        except DomainError:
            pass  # what is known grows old
        finally:
            host.reading, host.was_read = None, True
