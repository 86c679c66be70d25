"""The composition root: the one file that constructs things."""

from __future__ import annotations

import sys

from proximity.inventory.v1 import container_service_pb2, inventory_service_pb2

from services.clients.auth.verification import ask_auth
from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.common.process import lifecycle
from services.common.process.commands import main
from services.common.process.lifecycle import Background, Service
from services.common.process.runtime import build_runtime
from services.inventory.config import InventorySettings
from services.inventory.domain.entities import NewHost, Secrets, full_token_id
from services.inventory.handlers.containers import ContainerHandlers
from services.inventory.handlers.hosts import HostHandlers
from services.inventory.handlers.system import SystemHandlers
from services.inventory.jobs.abandoned_reservations import AbandonedReservations
from services.inventory.jobs.host_measure import measure_hosts
from services.inventory.jobs.node_sync import NodeSync
from services.inventory.probes.health import HealthChecks
from services.inventory.probes.ports import TcpPortProber
from services.inventory.proxmox.candidates import ProxmoxCandidateReader
from services.inventory.proxmox.consoles import Consoles
from services.inventory.proxmox.container_access import SshOrConsoleAccess
from services.inventory.proxmox.container_scan import ProxmoxContainerScanner
from services.inventory.proxmox.containers import ContainerLookup
from services.inventory.proxmox.fleet import Fleet
from services.inventory.proxmox.networks import Networks
from services.inventory.proxmox.nodes import read_expiry
from services.inventory.proxmox.occupants import AddressScanner
from services.inventory.proxmox.ssh import Shells
from services.inventory.proxmox.terminals import SshOrConsoleTerminals
from services.inventory.store import (
    SEALED,
    SqlAddressStore,
    SqlConsoleLeases,
    SqlHostStore,
    SqlSettingsStore,
    SqlVmidStore,
    metadata,
)
from services.inventory.usecases.create_container import CreationContext

log = get_logger()


async def serve(settings: InventorySettings) -> None:
    """Serve until a signal comes."""
    runtime = build_runtime("inventory", settings, tables=metadata, verify_tokens_by=ask_auth)
    hosts = SqlHostStore(runtime.db, runtime.sealer)
    vmids = SqlVmidStore(runtime.db, lowest=settings.lowest_vmid, highest=settings.vmid_max)
    addresses = SqlAddressStore(runtime.db)
    defaults = SqlSettingsStore(runtime.db)
    fleet = Fleet(hosts)
    leases = SqlConsoleLeases(runtime.db)
    access = SshOrConsoleAccess(Shells(hosts), Consoles(leases))
    sync = NodeSync(hosts, fleet, access=access, every_s=settings.sync_seconds, read_expiry=read_expiry)
    checks = HealthChecks(
        "inventory",
        settings,
        db=runtime.db,
        bus=runtime.bus,
        probe=runtime.probe,
        tls=runtime.tls,
        find_host_fault=sync.describe_refusal,
    )
    # Before the service is ready, so that its first request already finds the host.
    await add_first_host(hosts, settings)
    services = inventory_service_pb2.DESCRIPTOR.services_by_name
    handlers = {
        services["SystemService"]: SystemHandlers(checks, defaults, hosts=hosts, vmids=vmids),
        services["HostService"]: HostHandlers(hosts, fleet, sync=sync, access=access),
        container_service_pb2.DESCRIPTOR.services_by_name["ContainerService"]: ContainerHandlers(
            ContainerLookup(fleet, vmids),
            CreationContext(access, Networks(addresses, defaults, scanner=AddressScanner())),
            hosts=hosts,
            scanner=ProxmoxContainerScanner(fleet, vmids),
            candidates=ProxmoxCandidateReader(hosts, fleet, access=access),
            ports=TcpPortProber(),
            settings=defaults,
            terminals=SshOrConsoleTerminals(access, leases),
        ),
    }
    background: list[Background] = [
        sync.run(),
        AbandonedReservations(runtime.clients, vmids, addresses=addresses).plan(),
    ]
    try:
        await lifecycle.serve(
            Service(
                runtime=runtime,
                handlers=handlers,
                background=background,
                measures=(lambda: measure_hosts(hosts),),
            )
        )
    # Connections close after the last request was answered: `serve` returns when the drain has ended.
    finally:
        await checks.close()
        await access.close()
        fleet.close()


async def add_first_host(hosts: SqlHostStore, settings: InventorySettings) -> None:
    """Register the host of the environment when there is none yet."""
    if not settings.proxmox_host or await hosts.list_hosts():
        return
    try:
        new = NewHost(
            name="default",
            host=settings.proxmox_host,
            port=settings.proxmox_port,
            user=settings.proxmox_user,
            ssh_port=settings.proxmox_ssh_port,
            ssh_addresses=dict(settings.proxmox_ssh_addresses),
            verify_ssl=settings.proxmox_verify_ssl,
            fingerprint=settings.proxmox_fingerprint,
            token_id=full_token_id(settings.proxmox_user, settings.proxmox_token_id),
            is_default=True,
            secrets=Secrets(password=settings.proxmox_password, token_secret=settings.proxmox_token_secret),
        )
        host = await hosts.add_host(new)
        log.info("first_host_added", host_id=host.id, host=host.host)
    except DomainError as error:
        log.warning("first_host_not_added", error=error.message)


def run() -> None:
    """Run the command line."""
    sys.exit(main("inventory", InventorySettings, serve=serve, sealed=SEALED))
