"""Clients of hosts that are not registered: nothing of them is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.inventory.domain.access import Access
from services.inventory.domain.entities import NewHost
from services.inventory.domain.interfaces import Trial
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.consoles import Consoles
from services.inventory.proxmox.container_access import SshOrConsoleAccess
from services.inventory.proxmox.ssh import Shells

_THREADS = 2  # a trial sends its requests one after the other
_UNREGISTERED = 0  # no host has this id


class MemoryKeys:
    """SSH host keys that are pinned for the time of a trial alone."""

    def __init__(self) -> None:
        self._keys: dict[tuple[int, str], str] = {}

    async def find_ssh_key(self, host_id: int, address: str) -> str:
        """See `SshKeys.find_ssh_key`."""
        return self._keys.get((host_id, address), "")

    async def pin_ssh_key(self, host_id: int, address: str, *, public_key: str) -> None:
        """See `SshKeys.pin_ssh_key`."""
        self._keys.setdefault((host_id, address), public_key)


@asynccontextmanager
async def open_trial(new: NewHost, *, fingerprint: str) -> AsyncIterator[Trial]:
    """See `ProxmoxFleet.open_trial`."""
    secrets = new.secrets
    client = ProxmoxClient(
        Access(
            host_id=_UNREGISTERED,
            name=new.host,
            host=new.host,
            port=new.port,
            user=new.user,
            verify_ssl=new.verify_ssl,
            fingerprint=fingerprint,
            token_id=new.token_id,
            ssh_port=new.ssh_port,
            password=secrets.password,
            token_secret=secrets.token_secret,
            ssh_key=secrets.ssh_key,
            ssh_addresses=new.ssh_addresses,
        ),
        threads=_THREADS,
    )
    access = SshOrConsoleAccess(Shells(MemoryKeys()), Consoles())
    try:
        yield Trial(client, access)
    finally:
        client.close()
        await access.close()
