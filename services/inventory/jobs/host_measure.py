"""Metrics of the Proxmox hosts, from what the periodic read of their nodes has found."""

from __future__ import annotations

from services.common.core.telemetry.metrics import note_host_certificates, note_hosts
from services.inventory.domain.interfaces import HostStore


async def measure_hosts(store: HostStore) -> None:
    """Note which hosts that are switched on answer, and when their certificates expire."""
    hosts = await store.list_hosts()
    active = [host for host in hosts if host.is_active]
    note_hosts({host.name: host.status for host in active})
    # From the database: every replica knows it, whichever has read it.
    note_host_certificates(
        {host.name: host.certificate_expires_at for host in active if host.certificate_expires_at}
    )
