"""A node's shell on the model: which containers `pct` sees there."""

from collections.abc import Sequence

from tests.pvesim.api.content import render_path
from tests.pvesim.guest import Guest, World
from tests.pvesim.guest.node_containers import NodeContainer
from tests.pvesim.model.configs import render_file
from tests.pvesim.model.entities import Container, Volume
from tests.pvesim.model.reading import get_name
from tests.pvesim.simulation import Simulation, find_guest


class ClusterShell:
    """The containers of one node, or with `everywhere` those of the whole cluster.

    A real node runs `pct` for its own containers alone. The address that the ready
    line names stands for the whole cluster, so that a client with one SSH address
    reaches every container; the other nodes' addresses are strict.
    """

    def __init__(self, simulation: Simulation, node: str, *, everywhere: bool) -> None:
        self._sim = simulation
        self._node = node
        self._everywhere = everywhere
        self.locks: set[str] = set()

    @property
    def name(self) -> str:
        return self._node

    @property
    def version(self) -> str:
        return self._sim.cluster.version

    @property
    def world(self) -> World:
        return self._sim.world

    def list_containers(self) -> Sequence[NodeContainer]:
        return [_render(one) for one in self._sim.cluster.containers.values() if self._sees(one)]

    def find_container(self, vmid: int) -> NodeContainer | None:
        container = self._sim.cluster.containers.get(vmid)
        return _render(container) if container and self._sees(container) else None

    def unlock(self, vmid: int) -> None:
        container = self._sim.cluster.containers[vmid]
        if container.config.pop("lock", None):
            self._sim.cluster.mark(container)
            self._sim.driver.kick()

    def find_guest(self, vmid: int) -> Guest | None:
        container = self._sim.cluster.containers.get(vmid)
        return find_guest(container) if container and self._sees(container) else None

    def find_volume_path(self, volid: str) -> str | None:
        storage = self._sim.cluster.storages.get(volid.partition(":")[0])
        return render_path(storage, volid.partition(":")[2]) if storage else None

    def find_archive(self, path: str) -> Volume | None:
        for one in self._sim.cluster.volumes.values():
            storage = self._sim.cluster.storages.get(one.storage)
            if storage is not None and one.content == "backup" and render_path(storage, one.name) == path:
                return one
        return None

    def _sees(self, container: Container) -> bool:
        return self._everywhere or container.node == self._node


def _render(container: Container) -> NodeContainer:
    return NodeContainer(
        vmid=container.vmid,
        name=get_name(container),
        status="running" if container.running else "stopped",
        lock=container.lock or "",
        config=render_file(container),
    )
