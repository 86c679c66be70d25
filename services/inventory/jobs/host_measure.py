"""Metrics of the Proxmox hosts, from what the periodic read of their nodes has found."""

from __future__ import annotations

from services.common.core.telemetry.metrics import note_hosts
from services.inventory.domain.interfaces import HostStore


async def measure_hosts(store: HostStore) -> None:
    """Note which hosts that are switched on answer."""
    hosts = await store.list_hosts()
    note_hosts({host.name: host.status for host in hosts if host.is_active})
