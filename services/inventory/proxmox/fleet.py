"""A client per host, made from the stored credentials and made anew when they change."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from services.inventory.domain.access import Access
from services.inventory.domain.entities import Host, NewHost, Secrets
from services.inventory.domain.errors import HostInactiveError, HostUnreachableError
from services.inventory.domain.interfaces import HostStore, Trial
from services.inventory.domain.patches import DESTINATION
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.nodes import list_endpoints, read_fingerprint
from services.inventory.proxmox.trials import open_trial

_SHORT_LIVED_THREADS = 2  # a test of a host sends its requests one after the other
_GRACE_S = 120.0  # a client that was replaced is closed when its requests are over


class Fleet:
    """The clients of all hosts."""

    def __init__(self, hosts: HostStore) -> None:
        self._hosts = hosts
        self._clients: dict[int, tuple[datetime, ProxmoxClient]] = {}
        self._locks: dict[int, asyncio.Lock] = {}

    async def get_client(self, host_id: int) -> ProxmoxClient:
        """Return the client of a host.

        Raises:
            HostNotFoundError: there is no such host.
            HostInactiveError: it was switched off.
        """
        host = await self._hosts.get_host(host_id)
        if not host.is_active:
            raise HostInactiveError(f"the host {host.name!r} is switched off")
        return await self.get_client_of(host)

    async def get_client_of(self, host: Host) -> ProxmoxClient:
        """Return the client of a host that was just read."""
        # One lock per host: requests at the same time share the new client and its sign-in.
        async with self._locks.setdefault(host.id, asyncio.Lock()):
            known = self._clients.get(host.id)
            if known is not None and known[0] >= host.updated_at:
                return known[1]
            client = ProxmoxClient(await self.open_access(host))
            client.use_endpoints(list_endpoints(await self._hosts.list_nodes(host.id)))
            if known is not None:  # requests under way end with the old client
                asyncio.get_running_loop().call_later(_GRACE_S, known[1].close)
            self._clients[host.id] = (host.updated_at, client)
            return client

    async def open_client(self, host: Host) -> ProxmoxClient:
        """Return a client of its own for a host, to be closed by the caller; raises as `open_access`."""
        return ProxmoxClient(await self.open_access(host), threads=_SHORT_LIVED_THREADS)

    async def open_access(self, host: Host) -> Access:
        """Return the access to a host. One that need not be verified is pinned before it gets any credentials.

        Raises:
            HostUnreachableError: it shows no certificate to pin, or its secrets are for another address by now.
        """
        # Trust on first use: pinned before any credentials are sent.
        if not host.verify_ssl and not host.fingerprint:
            shown = await read_fingerprint(host.host, host.port)
            host = await self._hosts.pin_fingerprint(host.id, shown)
        secrets = await self._hosts.get_secrets(host.id)
        # Read again after the secrets: both must belong to the same version of the host.
        now = await self._hosts.get_host(host.id)
        if any(getattr(now, name) != getattr(host, name) for name in DESTINATION):
            raise HostUnreachableError(f"{host.name} was changed meanwhile", retry_after=1)
        return make_access(host, secrets)

    def open_trial(self, new: NewHost, *, fingerprint: str) -> AbstractAsyncContextManager[Trial]:
        """See `ProxmoxFleet.open_trial`."""
        return open_trial(new, fingerprint=fingerprint)

    def forget(self, host_id: int) -> None:
        """Close the client of a host that is gone."""
        known = self._clients.pop(host_id, None)
        if known is not None:
            known[1].close()

    def close(self) -> None:
        """Close every client."""
        for host_id in list(self._clients):
            self.forget(host_id)


def make_access(host: Host, secrets: Secrets) -> Access:
    """Build the access to a host with these secrets."""
    return Access(
        host_id=host.id,
        name=host.name,
        host=host.host,
        port=host.port,
        user=host.user,
        verify_ssl=host.verify_ssl,
        fingerprint=host.fingerprint,
        token_id=host.token_id,
        ssh_port=host.ssh_port,
        password=secrets.password,
        token_secret=secrets.token_secret,
        ssh_key=secrets.ssh_key,
        ssh_addresses=host.ssh_addresses,
    )
