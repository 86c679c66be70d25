"""A client per host, made from the stored credentials and made anew when they change."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from services.inventory.domain.entities import Host, Secrets
from services.inventory.domain.errors import HostInactiveError
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.session import Access


class Hosts(Protocol):
    """Where hosts and their secrets are kept."""

    async def list_hosts(self) -> list[Host]:
        """Return the hosts, the default one first."""

    async def get_host(self, host_id: int) -> Host:
        """Return one host, or raise HostNotFoundError."""

    async def get_secrets(self, host_id: int) -> Secrets:
        """Return what it is signed in to with."""


class Fleet:
    """The clients of all hosts."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._clients: dict[int, tuple[datetime, ProxmoxClient]] = {}

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
        known = self._clients.get(host.id)
        if known is not None and known[0] == host.updated_at:
            return known[1]
        client = ProxmoxClient(make_access(host, await self._hosts.get_secrets(host.id)))
        self.forget(host.id)
        self._clients[host.id] = (host.updated_at, client)
        return client

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
    """How a host is reached with these secrets."""
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
    )
