"""A client per host, made from the stored credentials and made anew when they change."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.inventory.domain.entities import DESTINATION, Host, Node, Secrets
from services.inventory.domain.errors import HostInactiveError, HostUnreachableError
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.nodes import read_fingerprint
from services.inventory.proxmox.session import Access, Door

_GRACE_S = 120.0  # a client that was replaced is closed when its requests are over


class Hosts(Protocol):
    """Where hosts and their secrets are kept."""

    async def list_hosts(self) -> list[Host]:
        """Return the hosts, the default one first."""

    async def get_host(self, host_id: int) -> Host:
        """Return one host, or raise HostNotFoundError."""

    async def get_secrets(self, host_id: int) -> Secrets:
        """Return what it is signed in to with."""

    async def list_nodes(self, host_id: int | None = None) -> list[Node]:
        """Return its nodes as last seen."""

    async def pin_fingerprint(self, host_id: int, fingerprint: str) -> Host:
        """Pin its certificate, unless one is pinned already."""


class Fleet:
    """The clients of all hosts."""

    def __init__(self, hosts: Hosts) -> None:
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
        async with self._locks.setdefault(host.id, asyncio.Lock()):
            known = self._clients.get(host.id)
            if known is not None and known[0] >= host.updated_at:
                return known[1]
            client = ProxmoxClient(await self.open_access(host))
            client.use_doors(list_doors(await self._hosts.list_nodes(host.id)))
            if known is not None:  # whoever works with it now may end that
                asyncio.get_running_loop().call_later(_GRACE_S, known[1].close)
            self._clients[host.id] = (host.updated_at, client)
            return client

    async def open_access(self, host: Host) -> Access:
        """Say how a host is reached. One that need not be verified is pinned before it gets any credentials.

        Raises:
            HostUnreachableError: it shows no certificate to pin, or its secrets are for another address by now.
        """
        if not host.verify_ssl and not host.fingerprint:
            shown = await read_fingerprint(host.host, host.port)
            host = await self._hosts.pin_fingerprint(host.id, shown)
        secrets = await self._hosts.get_secrets(host.id)
        now = await self._hosts.get_host(host.id)
        if any(getattr(now, name) != getattr(host, name) for name in DESTINATION):
            raise HostUnreachableError(f"{host.name} was changed meanwhile", retry_after=1)
        return make_access(host, secrets)

    def forget(self, host_id: int) -> None:
        """Close the client of a host that is gone."""
        known = self._clients.pop(host_id, None)
        if known is not None:
            known[1].close()

    def close(self) -> None:
        """Close every client."""
        for host_id in list(self._clients):
            self.forget(host_id)


def list_doors(nodes: Sequence[Node]) -> list[Door]:
    """The nodes of a cluster as doors to it."""
    return [Door(node.ip_address, node.fingerprint) for node in nodes]


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
        ssh_addresses=host.ssh_addresses,
    )
