"""The inventory's handlers on a SQLite file and the simulated Proxmox, a real program."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs

from services.common.db.database import Database, create_engine
from services.common.rpc.call import Call
from services.inventory.domain.entities import Host, NewHost, Secrets
from services.inventory.handlers.containers import ContainerHandlers
from services.inventory.handlers.hosts import HostHandlers
from services.inventory.proxmox.container_access import SshOrConsoleAccess
from services.inventory.proxmox.fleet import Fleet
from tests.databases import copy_sqlite
from tests.e2e.simulators import list_rejected
from tests.fakes.inventory import InventoryParts, build_real_parts
from tests.unit.pvesim.sim import Running, start

OWNER = "nginx-0a1b2c3d"


@dataclass
class Inventory:
    """The parts, wired as the server wires them."""

    sim: Running
    parts: InventoryParts[Fleet, SshOrConsoleAccess]
    hosts: HostHandlers
    containers: ContainerHandlers
    host: Host

    def __post_init__(self) -> None:
        self.store, self.vmids = self.parts.hosts, self.parts.vmids
        self.fleet, self.access = self.parts.fleet, self.parts.access

    async def create(self, owner: str = OWNER, **options: Any) -> cs.ContainerRef:
        """Reserve an id and create a container on pve1, to its end."""
        reserved = await self.containers.reserve_vmid(
            cs.ReserveVmidRequest(host_id=self.host.id, owner=owner), new_call()
        )
        ref = cs.ContainerRef(host_id=self.host.id, vmid=reserved.vmid, node="pve1")
        request = cs.CreateContainerRequest(
            container=ref,
            owner=owner,
            hostname="web",
            memory_mb=512,
            cores=1,
            disk_gb=4,
            **{"docker": True, **options},
        )
        task = await self.containers.create_container(request, new_call())
        assert (await self.finish(task)).succeeded
        return ref

    async def finish(self, task: cs.Task) -> cs.TaskProgress:
        """Follow a task to its end."""
        request = cs.WatchTaskRequest(host_id=task.host_id, node=task.node, upid=task.upid)
        last = cs.TaskProgress()
        async for progress in self.containers.watch_task(request, new_call()):
            last = progress
        assert last.done
        return last

    async def start(self, ref: cs.ContainerRef, owner: str = OWNER) -> None:
        """Start a container, to its end."""
        task = await self.containers.start_container(
            cs.ContainerActionRequest(container=ref, owner=owner), new_call()
        )
        assert (await self.finish(task)).succeeded

    async def run(self, ref: cs.ContainerRef, *argv: str, owner: str = OWNER) -> tuple[str, int]:
        """Run a command in a container."""
        request = cs.ExecRequest(container=ref, owner=owner, argv=argv)
        text, code = "", -1
        async for piece in self.containers.exec(request, new_call()):
            text += piece.text
            if piece.HasField("exit_code"):
                code = piece.exit_code
        return text, code


def make_host(sim: Running, name: str, **changes: Any) -> NewHost:
    """A simulated server as it is registered."""
    ready = sim.client.ready
    known = {
        "host": str(ready["host"]),
        "port": int(ready["port"]),
        "ssh_port": int(ready["ssh_port"]),
        "fingerprint": str(ready["fingerprint"]),
        "secrets": Secrets(password=str(ready["password"])),
    }
    return NewHost(name=name, **{**known, **changes})


def count_requests(sim: Running) -> dict[str, int]:
    counted: dict[str, int] = {}
    for one in sim.client.control("GET", "/requests"):
        key = f"{one['method']} {one['path']}"
        counted[key] = counted.get(key, 0) + 1
    return counted


def new_call() -> Call:
    return Call("/test", {})


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with start(tmp_path_factory.mktemp("sim")) as running:
        yield running
        assert list_rejected(running.client.ready) == []


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A second cluster."""
    with start(tmp_path_factory.mktemp("other"), "--nodes", "2") as running:
        yield running


@pytest.fixture
def secrets(sim: Running) -> Secrets:
    """What the host is signed in to with; suites may have their own."""
    return Secrets(password=str(sim.client.ready["password"]))


@pytest.fixture
def access() -> dict[str, Any]:
    """What else the host is registered with."""
    return {}


@pytest.fixture
async def inventory(
    sim: Running, tmp_path: Path, secrets: Secrets, access: dict[str, Any]
) -> AsyncIterator[Inventory]:
    db = Database(create_engine(copy_sqlite("inventory", tmp_path), service="inventory"))
    parts = build_real_parts(db)
    host = await parts.hosts.add_host(make_host(sim, "default", secrets=secrets, **access))
    yield Inventory(
        sim=sim,
        parts=parts,
        hosts=parts.build_host_handlers(),
        containers=parts.build_container_handlers(),
        host=host,
    )
    await parts.close()
    sim.client.control("DELETE", "/faults")
