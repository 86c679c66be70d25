"""The inventory's parts, constructed as its server does, on a fleet and an access of a test's choice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from services.common.db.database import Database, create_engine
from services.common.identity.keys import Sealer
from services.inventory.domain.container_spec import ContainerSpec
from services.inventory.domain.containers import ContainerRef, ProxmoxTask
from services.inventory.domain.entities import Host, NewHost, Secrets
from services.inventory.domain.errors import HostUnreachableError
from services.inventory.domain.health import CONNECTED, HealthReport
from services.inventory.domain.interfaces import HealthMonitor, PortProber
from services.inventory.domain.ports import PortProbe
from services.inventory.handlers.containers import ContainerHandlers
from services.inventory.handlers.hosts import HostHandlers
from services.inventory.handlers.system import SystemHandlers
from services.inventory.jobs.node_sync import NodeSync
from services.inventory.probes.ports import TcpPortProber
from services.inventory.proxmox.candidates import ProxmoxCandidateReader
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.consoles import Consoles
from services.inventory.proxmox.container_access import SshOrConsoleAccess
from services.inventory.proxmox.container_scan import ProxmoxContainerScanner
from services.inventory.proxmox.containers import ContainerLookup
from services.inventory.proxmox.fleet import Fleet
from services.inventory.proxmox.networks import Networks
from services.inventory.proxmox.occupants import AddressScanner
from services.inventory.proxmox.ssh import Shells
from services.inventory.proxmox.tasks import Progress
from services.inventory.proxmox.terminals import SshOrConsoleTerminals
from services.inventory.store import (
    SqlAddressStore,
    SqlConsoleLeases,
    SqlHostStore,
    SqlSettingsStore,
    SqlVmidStore,
)
from services.inventory.usecases import placement
from services.inventory.usecases.create_container import CreationContext, create_container
from services.inventory.usecases.power import start_container
from services.inventory.usecases.tasks import watch_task
from tests.fakes.instant_proxmox import InstantContainerAccess, InstantFleet
from tests.pvesim.instant import InstantProxmox

F = TypeVar("F", bound=Fleet)
A = TypeVar("A", bound=SshOrConsoleAccess)


@dataclass
class InventoryParts(Generic[F, A]):
    """Stores, Proxmox and handlers of one inventory."""

    db: Database
    hosts: SqlHostStore
    vmids: SqlVmidStore
    addresses: SqlAddressStore
    settings: SqlSettingsStore
    fleet: F
    access: A
    lookup: ContainerLookup
    scanner: ProxmoxContainerScanner
    candidates: ProxmoxCandidateReader
    networks: Networks
    ports: PortProber
    sync: NodeSync

    def build_container_handlers(
        self, kind: type[ContainerHandlers] = ContainerHandlers
    ) -> ContainerHandlers:
        """Build ContainerService."""
        return kind(
            self.lookup,
            CreationContext(self.access, self.networks),
            hosts=self.hosts,
            scanner=self.scanner,
            candidates=self.candidates,
            ports=self.ports,
            settings=self.settings,
            terminals=SshOrConsoleTerminals(self.access, SqlConsoleLeases(self.db)),
        )

    def build_host_handlers(self) -> HostHandlers:
        """Build HostService."""
        return HostHandlers(self.hosts, self.fleet, sync=self.sync, access=self.access)

    async def close(self) -> None:
        """Leave every host, and close the database."""
        await self.access.close()
        self.fleet.close()
        await self.db.close()


def build_parts(
    db: Database,
    make_fleet: Callable[[SqlHostStore], F],
    make_access: Callable[[SqlHostStore], A],
    *,
    ports: PortProber | None = None,
    lowest_vmid: int = 9000,
    highest_vmid: int = 9999,
) -> InventoryParts[F, A]:
    """Construct the parts on a database with the inventory's tables."""
    hosts = SqlHostStore(db, Sealer("k" * 40))
    vmids = SqlVmidStore(db, lowest=lowest_vmid, highest=highest_vmid)
    addresses, settings = SqlAddressStore(db), SqlSettingsStore(db)
    fleet, access = make_fleet(hosts), make_access(hosts)
    return InventoryParts(
        db=db,
        hosts=hosts,
        vmids=vmids,
        addresses=addresses,
        settings=settings,
        fleet=fleet,
        access=access,
        lookup=ContainerLookup(fleet, vmids),
        scanner=ProxmoxContainerScanner(fleet, vmids),
        candidates=ProxmoxCandidateReader(hosts, fleet, access=access),
        networks=Networks(addresses, settings, scanner=AddressScanner()),
        ports=ports or TcpPortProber(),
        sync=NodeSync(hosts, fleet, access=access, every_s=30),
    )


def build_real_parts(
    db: Database, *, lowest_vmid: int = 9000, highest_vmid: int = 9999
) -> InventoryParts[Fleet, SshOrConsoleAccess]:
    """Construct the parts as the server does."""
    return build_parts(
        db,
        Fleet,
        lambda hosts: SshOrConsoleAccess(Shells(hosts), Consoles(SqlConsoleLeases(db))),
        lowest_vmid=lowest_vmid,
        highest_vmid=highest_vmid,
    )


class SilentHosts:
    """An outage of some hosts: their clients get no answer."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def meddle(self, client: ProxmoxClient, method: str, path: str, send: Callable[[], Any]) -> Any:
        """Answer a request, or fail as a host that is switched off."""
        if client.access.name not in self._names:
            return send()
        raise HostUnreachableError(
            f"{client.access.name} does not answer: connection refused", metadata={"scope": "host"}
        )


class FakePorts:
    """Ports that answer or not, as a test says.

    Attributes:
        open_ports: those that answer, with the HTTP status or None for another protocol.
        refused: addresses that refuse connections; others that do not answer cannot be reached.
        probes: how many times a port was probed.
    """

    def __init__(self) -> None:
        self.open_ports: dict[int, int | None] = {}
        self.refuses = False
        self.probes = 0

    async def probe(self, address: str, port: int, *, scheme: str, path: str) -> PortProbe:
        """See `PortProber.probe`."""
        self.probes += 1
        if port not in self.open_ports:
            message = f"{address}:{port} does not answer"
            return PortProbe(answered=False, address=address, message=message, reached=self.refuses)
        status = self.open_ports[port]
        if scheme != "tcp" and status is None:
            return PortProbe(answered=False, address=address, message="no HTTP")
        return PortProbe(answered=True, address=address, http_status=status if scheme != "tcp" else None)


@dataclass
class InstantInventory:
    """An inventory on a database of its own and a cluster in memory whose tasks end at once."""

    proxmox: InstantProxmox
    parts: InventoryParts[InstantFleet, InstantContainerAccess]
    ports: FakePorts
    host: Host

    @property
    def lookup(self) -> ContainerLookup:
        """The containers."""
        return self.parts.lookup

    @property
    def stranger(self) -> ContainerRef:
        """A running container that nobody of ours owns."""
        return ContainerRef(self.host.id, 101, "pve1")

    async def create(self, owner: str = "shop", *, is_running: bool = False, **spec: Any) -> ContainerRef:
        """Create a container of an owner on pve1."""
        vmid = await placement.reserve_vmid(
            self.parts.vmids, self.parts.fleet, host_id=self.host.id, owner=owner
        )
        ref = ContainerRef(self.host.id, vmid, "pve1")
        wanted = ContainerSpec(
            **{"hostname": owner, "memory_mb": 512, "cores": 1, "disk_gb": 4, "storage": "local-lvm", **spec}
        )
        context = CreationContext(self.parts.access, self.parts.networks)
        task = await create_container(self.lookup, context, ref=ref, owner=owner, wanted=wanted)
        assert (await self.finish(task)).succeeded
        if is_running:
            await self.start(ref, owner)
        return ref

    async def start(self, ref: ContainerRef, owner: str = "shop") -> None:
        """Start a container, to its end."""
        task = await start_container(self.lookup, ref, owner=owner, networks=self.parts.networks)
        assert (await self.finish(task)).succeeded

    async def finish(self, task: ProxmoxTask) -> Progress:
        """Follow a task to its end."""
        watched = watch_task(self.parts.fleet, task.host_id, node=task.node, upid=task.upid)
        last = [progress async for progress in watched][-1]
        assert last.done
        return last

    async def add_host(self, name: str) -> Host:
        """Register another host, which answers with the same cluster."""
        return await self.parts.hosts.add_host(
            NewHost(name=name, host=f"{name}.example", secrets=Secrets(password="x"))
        )

    def config(self, ref: ContainerRef) -> dict[str, Any]:
        """The configuration of a container as the cluster has it."""
        return self.proxmox.cluster.containers[ref.vmid].config

    def is_running(self, ref: ContainerRef) -> bool:
        """Whether a container runs."""
        return self.proxmox.cluster.containers[ref.vmid].running

    def lock(self, ref: ContainerRef, kind: str = "backup") -> None:
        """Lock a container as Proxmox does while it works on it."""
        self.config(ref)["lock"] = kind


async def open_instant_inventory(database: Path) -> InstantInventory:
    """Open an inventory with one host `pve` on a database file with its tables."""
    proxmox, ports = InstantProxmox("demo"), FakePorts()
    parts = build_parts(
        Database(create_engine(f"sqlite:///{database}", service="inventory"), threads=2),
        lambda hosts: InstantFleet(hosts, proxmox),
        lambda hosts: InstantContainerAccess(hosts, proxmox),
        ports=ports,
    )
    host = await parts.hosts.add_host(NewHost(name="pve", host="pve.example", secrets=Secrets(password="x")))
    return InstantInventory(proxmox, parts, ports, host)


class CountingSync:
    """A job that reads the nodes of hosts, of which only the requests are counted."""

    def __init__(self) -> None:
        self.wakes = 0

    def wake(self) -> None:
        """See `NodeSyncTrigger.wake`."""
        self.wakes += 1


class FixedHealth:
    """A monitor that finds the platform as a test says."""

    def __init__(self, report: HealthReport) -> None:
        self._report = report

    async def check(self) -> HealthReport:
        """See `HealthMonitor.check`."""
        return self._report


def build_system_handlers(
    parts: InventoryParts[InstantFleet, InstantContainerAccess], monitor: HealthMonitor | None = None
) -> SystemHandlers:
    """Build SystemService."""
    healthy = FixedHealth(HealthReport(CONNECTED, CONNECTED, CONNECTED, {}))
    return SystemHandlers(monitor or healthy, parts.settings, hosts=parts.hosts, vmids=parts.vmids)
