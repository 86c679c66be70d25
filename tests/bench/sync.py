"""How long reading many hosts takes: simulated clusters whose every answer comes late, read as inventory reads them."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from services.common.core.clock import now
from services.common.db.database import Database, create_engine
from services.common.db.migrations import upgrade
from services.inventory.domain.entities import NewHost, Secrets
from services.inventory.domain.scans import HostScan
from services.inventory.proxmox.container_access import SshOrConsoleAccess
from services.inventory.proxmox.fleet import Fleet
from services.inventory.store.tables import vmids
from services.inventory.usecases.containers import list_containers
from tests.fakes.inventory import InventoryParts, build_real_parts
from tests.unit.pvesim.sim import Running, start

Parts = InventoryParts[Fleet, SshOrConsoleAccess]
LIMIT_S = 5.0
_FIRST_VMID = 9000
_OVERVIEW = "/cluster/resources"


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much there is; `latency` in seconds of every call."""

    clusters: int = 3
    nodes: int = 12
    containers: int = 2000
    latency: float = 0.02


@dataclass(frozen=True)
class Reading:
    """One reading of everything: seconds, CPU of the reader, and how many calls it took, overviews among them."""

    seconds: float
    cpu: float
    calls: int
    overviews: int


async def read_everything(parts: Parts) -> list[HostScan]:
    """Read nodes, access and containers of all hosts, as a start of inventory and a reconciliation do."""
    await parts.sync.sync_due()
    return await list_containers(parts.hosts, parts.scanner)


async def measure_sync(size: Size) -> bool:
    """Print how long reading everything takes, the first time and again; says whether both were quick enough."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        clusters = list(_start_clusters(stack, folder, size))
        async with _open_inventory(folder, clusters, size) as inventory:
            readings = [await _read(inventory, clusters, size) for _ in range(3)]
    for number, one in enumerate(readings, start=1):
        cost = f"{one.cpu:.2f} s of CPU, {one.calls} calls, {one.overviews} overviews"
        print(f"reading {number}: {one.seconds:.2f} s, {cost}", flush=True)
    return max(one.seconds for one in readings) < LIMIT_S


def _start_clusters(stack: contextlib.ExitStack, folder: Path, size: Size) -> Iterator[Running]:
    for number in range(size.clusters):
        place = folder / f"cluster{number}"
        place.mkdir()
        (place / "topology.json").write_text(json.dumps(_describe_cluster(number, size)))
        running = stack.enter_context(start(place, "--topology", str(place / "topology.json")))
        running.client.control("POST", "/faults", [{"kind": "latency", "seconds": size.latency, "match": {}}])
        yield running


def _describe_cluster(number: int, size: Size) -> dict[str, object]:
    names = [f"c{number}n{one}" for one in range(size.nodes // size.clusters)]
    share = size.containers // size.clusters + (number < size.containers % size.clusters)
    containers = [
        {
            "vmid": _FIRST_VMID + one,
            "node": names[one % len(names)],
            "hostname": f"app-{number}-{one}",
            "disk": 1,
            "config": _mark(f"a-{number + 1}-{one}") if one % 2 else {},
        }
        for one in range(share)
    ]
    return {"name": f"c{number}", "nodes": [{"name": name} for name in names], "containers": containers}


def _mark(owner: str) -> dict[str, str]:
    return {"tags": "proximity", "description": f"proximity-app: {owner}\n"}


@contextlib.asynccontextmanager
async def _open_inventory(folder: Path, clusters: list[Running], size: Size) -> AsyncIterator[Parts]:
    url = f"sqlite:///{folder}/inventory.sqlite3"
    upgrade(url, "inventory")
    inventory = build_real_parts(
        Database(create_engine(url, service="inventory")), lowest_vmid=_FIRST_VMID, highest_vmid=99_999
    )
    for number, one in enumerate(clusters):
        ready = one.client.ready
        new = NewHost(
            name=f"c{number}",
            host=str(ready["host"]),
            port=int(ready["port"]),
            ssh_port=int(ready["ssh_port"]),
            fingerprint=str(ready["fingerprint"]),
            secrets=Secrets(password=str(ready["password"])),
        )
        await _reserve_ids(inventory, (await inventory.hosts.add_host(new)).id, size)
    yield inventory
    await inventory.close()


async def _reserve_ids(inventory: Parts, host_id: int, size: Size) -> None:
    rows = [
        {"host_id": host_id, "vmid": _FIRST_VMID + one, "owner": f"a-{host_id}-{one}", "reserved_at": now()}
        for one in range(size.containers)
        if one % 2
    ]
    await inventory.db.write(lambda connection: connection.execute(sa.insert(vmids), rows))


async def _read(inventory: Parts, clusters: list[Running], size: Size) -> Reading:
    for one in clusters:
        one.client.control("DELETE", "/requests")
    began, used = time.monotonic(), time.process_time()
    scans = await read_everything(inventory)
    seconds, cpu = time.monotonic() - began, time.process_time() - used
    found, nodes = sum(len(scan.containers) for scan in scans), await inventory.hosts.list_nodes()
    if (found, len(nodes)) != (size.containers, size.nodes) or not all(scan.complete for scan in scans):
        raise AssertionError(
            f"{found} containers and {len(nodes)} nodes were read: {[s.error for s in scans]}"
        )
    said = [call for one in clusters for call in one.client.control("GET", "/requests")]
    overviews = sum(str(call["path"]).endswith(_OVERVIEW) for call in said)
    return Reading(seconds, cpu, len(said), overviews)
