"""One simulated cluster with everything around it: state on disk, tasks, guests, faults, records."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.pvesim.driver import Driver
from tests.pvesim.faults import Faults
from tests.pvesim.guest import Guest, GuestServers, World
from tests.pvesim.inside import Inside, Insides
from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.entities import Container, Task
from tests.pvesim.model.errors import TaskFailedError
from tests.pvesim.model.reading import get_address
from tests.pvesim.presets import fill
from tests.pvesim.store import StateStore

KEPT_REQUESTS = 50_000
HANG_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that the API got, and whether the official schema accepts it."""

    method: str
    path: str
    params: dict[str, Any]
    status: int
    reason: str
    user: str
    at: float
    accepted: bool
    errors: dict[str, str]


@dataclass
class Beginning:
    """How a simulation starts when its state directory is empty."""

    preset: str = "demo"
    nodes: int = 3
    topology: dict[str, Any] | None = None
    version: str | None = None
    first_vmid: int | None = None


@dataclass
class Simulation:
    """The running program's parts."""

    cluster: Cluster
    driver: Driver
    world: World
    servers: GuestServers
    faults: Faults
    login_delay: float = 0.0
    requests: deque[Seen] = field(default_factory=lambda: deque(maxlen=KEPT_REQUESTS))

    @classmethod
    async def open(
        cls, folder: Path, beginning: Beginning, *, task_seconds: float, login_delay: float
    ) -> "Simulation":
        """Continue with the state in a directory, or begin one."""
        world = World(scale=min(1.0, task_seconds / 10))
        cluster = Cluster(guests=Insides(world))
        store = StateStore(folder)
        if store.load(cluster):
            cluster.recover_tasks()
        else:
            begin(cluster, beginning)
        faults = Faults()
        servers = GuestServers(world)
        mover = _Mover(cluster, world, servers)
        meddler = _Meddler(faults)
        cluster.is_lock_stuck = meddler.is_lock_stuck
        driver = Driver(cluster, store, task_seconds=task_seconds, settle=mover.settle, meddle=meddler.meddle)
        simulation = cls(cluster, driver, world, servers, faults, login_delay)
        mover.watch(driver)
        _wake(cluster)
        await mover.settle()
        driver.save()
        return simulation

    async def settle(self) -> None:
        """Let the real listeners follow the model, and start what was started."""
        await self.driver.settle()
        self.driver.kick()

    async def close(self) -> None:
        """Stop everything; the state stays on disk."""
        await self.driver.close()
        await self.servers.close()


def begin(cluster: Cluster, beginning: Beginning) -> None:
    """Fill an empty cluster as asked for."""
    cluster.first_vmid = 9000
    if beginning.version:
        cluster.version = beginning.version
    fill(cluster, preset=beginning.preset, nodes=beginning.nodes, topology=beginning.topology)
    if beginning.first_vmid is not None:
        cluster.first_vmid = beginning.first_vmid


def _wake(cluster: Cluster) -> None:
    """After a restart: what ran runs on; its insides are told where they are."""
    for container in cluster.containers.values():
        guest = find_guest(container)
        if container.guest is None or guest is None:
            continue
        container.guest.prepare(cluster, container)
        if container.running and not guest.running:
            container.guest.boot()
        cluster.moved.add(container.vmid)


class _Mover:
    """Makes real sockets match what the containers listen on."""

    def __init__(self, cluster: Cluster, world: World, servers: GuestServers) -> None:
        self._cluster = cluster
        self._servers = servers
        self._driver: Driver | None = None
        world.settle = self.settle_guest
        servers.on_change = self.save_guest

    def watch(self, driver: Driver) -> None:
        """Whom to tell that something has to be saved."""
        self._driver = driver

    async def settle(self) -> None:
        """Sync every container that changed."""
        moved, self._cluster.moved = self._cluster.moved, set()
        for vmid in moved:
            await self._sync(vmid, self._cluster.containers.get(vmid))

    async def _sync(self, vmid: int, container: Container | None) -> None:
        guest = find_guest(container)
        if container and container.guest and guest and guest.place.vmid != vmid:
            container.guest.prepare(self._cluster, container)
        if container is None or guest is None or not container.running:
            await self._servers.sync(str(vmid), None, guest or _NOTHING)
            return
        address = get_address(self._cluster, container)
        guest.place.address = address
        await self._servers.sync(str(vmid), address, guest)

    async def settle_guest(self, guest: Guest) -> None:
        """A guest changed from inside."""
        container = self._cluster.containers.get(guest.place.vmid)
        if container is None or find_guest(container) is not guest:
            return
        self._cluster.mark(container)
        await self.settle()
        if self._driver:
            self._driver.kick()

    async def save_guest(self, key: str) -> None:
        """A request from outside changed an app's data."""
        self._cluster.touch("containers", key)
        if self._driver:
            self._driver.kick()


class _Meddler:
    """Strikes tasks with the faults that match them."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._asked: set[str] = set()

    async def meddle(self, task: Task) -> None:
        """Hold or fail a task before it does anything.

        Raises:
            TaskFailedError: a fault says so.
        """
        rule = self._faults.find_task_fault(_describe_task(task))
        if rule is None:
            return
        if rule.kind == "task_hang":
            await asyncio.sleep(rule.seconds or HANG_SECONDS)
            return
        if rule.kind == "task_warn":
            task.log(f"WARN: {rule.reason or 'simulated warning'}")
            return
        default = (
            "write error: No space left on device" if rule.kind == "storage_full" else "simulated failure"
        )
        raise TaskFailedError(rule.reason or default)

    def is_lock_stuck(self, task: Task) -> bool:
        """Whether a fault keeps the first lock that it asks for from this task."""
        if task.upid in self._asked:
            return False
        self._asked.add(task.upid)
        return self._faults.find_lock_fault(_describe_task(task)) is not None


def _describe_task(task: Task) -> dict[str, str]:
    return {"method": "TASK", "path": task.type, "type": task.type, "node": task.node, "vmid": task.id}


_NOTHING = Guest.from_template("debian-12-standard", hostname="nothing")


def find_guest(container: Container | None) -> Guest | None:
    """The real guest inside a container."""
    inside = container.guest if container else None
    return inside.guest if isinstance(inside, Inside) else None


def describe_state(simulation: Simulation) -> dict[str, Any]:
    """Everything, as JSON data, for checks of what must hold."""
    cluster = simulation.cluster
    return {
        "now": cluster.now(),
        "real_now": time.time(),
        "nodes": {name: one.to_dict() for name, one in cluster.nodes.items()},
        "containers": {
            str(vmid): _describe_container(simulation, one) for vmid, one in cluster.containers.items()
        },
        "storages": {name: one.to_dict() for name, one in cluster.storages.items()},
        "volumes": [_describe_volume(one.to_dict()) for one in cluster.volumes.values()],
        "tasks": [one.to_dict() for one in cluster.tasks.values()],
        "users": list(cluster.users),
        "tokens": list(cluster.tokens),
        "pools": {name: one.to_dict() for name, one in cluster.pools.items()},
        "commands": simulation.world.recorded(),
    }


def _describe_volume(volume: dict[str, Any]) -> dict[str, Any]:
    return {**volume, "volid": f"{volume['storage']}:{volume['name']}", "guest": volume["guest"] is not None}


def _describe_container(simulation: Simulation, container: Container) -> dict[str, Any]:
    guest = find_guest(container)
    return {
        "vmid": container.vmid,
        "node": container.node,
        "config": container.config,
        "pending": container.pending,
        "running": container.running,
        "address": get_address(simulation.cluster, container),
        "snapshots": list(container.snapshots),
        "image": container.image,
        "guest": _describe_guest(simulation, container, guest) if guest else None,
    }


def _describe_guest(simulation: Simulation, container: Container, guest: Guest) -> dict[str, Any]:
    return {
        "release": guest.release,
        "packages": sorted(guest.packages),
        "services": {name: one.running for name, one in guest.services.items()},
        "images": sorted(guest.docker.images) if hasattr(guest.docker, "images") else [],
        "listening": [
            {"port": one.port, "proto": one.proto, "image": one.image} for one in guest.listening()
        ],
        "bound": simulation.servers.ports(str(container.vmid)),
        "errors": simulation.servers.errors(str(container.vmid)),
    }
