"""Starting and stopping: what changes when a container comes up or goes down."""

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.configs import apply_pending, list_devices, list_networks
from tests.pvesim.model.entities import Container, Task
from tests.pvesim.model.errors import TaskFailedError
from tests.pvesim.model.work import Share, Work


def check_startable(cluster: Cluster, container: Container) -> None:
    """The reasons for which a start fails inside its task."""
    machine = cluster.nodes[container.node].machine
    if (container.config.get("arch") == "arm64") != (machine == "aarch64"):
        raise TaskFailedError(f"startup for container '{container.vmid}' failed")
    if any(device not in cluster.nodes[container.node].devices for device in list_devices(container.config)):
        raise TaskFailedError(f"startup for container '{container.vmid}' failed")
    if container.lock:
        raise TaskFailedError(f"CT is locked ({container.lock})")
    if container.config.get("template"):
        raise TaskFailedError("you can't start a CT if it's a template")
    for _, network in list_networks(container.config):
        bridge = network.get("bridge")
        if bridge and bridge not in cluster.nodes[container.node].bridges:
            raise TaskFailedError(f"bridge '{bridge}' does not exist")


def start_container(cluster: Cluster, task: Task, container: Container) -> Work:
    """Bring a container up."""
    check_startable(cluster, container)
    yield Share(0.5)
    bring_up(cluster, container)
    for option, network in list_networks(container.config):
        if network.get("host-managed") == "1" and network.get("ip") == "dhcp" and not cluster.dhcp:
            task.log(f"WARN: DHCP failed - no lease for {option} ({network['name']}) from any server")


def bring_up(cluster: Cluster, container: Container) -> None:
    """The container runs from now on, with its waiting changes applied."""
    apply_pending(container)
    container.running = True
    container.started_at = cluster.now()
    cluster.serial += 1
    container.pid = 4000 + cluster.serial
    if container.guest:
        container.guest.prepare(cluster, container)
        container.guest.boot()
    cluster.mark(container)


def take_down(cluster: Cluster, container: Container) -> None:
    """The container is stopped from now on."""
    container.running = False
    container.pid = 0
    apply_pending(container)
    if container.guest:
        container.guest.shutdown()
    cluster.mark(container)
