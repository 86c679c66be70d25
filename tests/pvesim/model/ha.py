"""The HA manager: it takes requests at once, and starts, stops and moves containers some seconds later."""

from collections.abc import Callable

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.entities import Container, Task
from tests.pvesim.model.running import bring_up, take_down
from tests.pvesim.model.work import Job, Seconds, Work

MANAGER = "root@pam"
"""User of the tasks that the manager starts."""


def request_state(cluster: Cluster, container: Container, *, kind: str, user: str) -> str:
    """Give the manager a request; its task (hastart, hastop) ends before the container has changed."""
    wanted = "started" if kind == "hastart" else "stopped"

    def work(task: Task) -> Work:
        yield Seconds(0.05)
        container.ha_state = wanted
        cluster.mark(container)
        task.log(f"Requesting HA {'start' if wanted == 'started' else 'stop'} for CT {container.vmid}")
        _act_later(cluster, container, lambda: _bring_to(cluster, container, wanted))

    return cluster.start_task(node=container.node, kind=kind, label=str(container.vmid), user=user, work=work)


def request_move(
    cluster: Cluster, container: Container, *, target: str, user: str, move: Callable[[], object]
) -> str:
    """Give the manager a request to move it; its task (hamigrate) ends before the manager calls `move`."""

    def work(task: Task) -> Work:
        yield Seconds(0.05)
        task.log(f"Requesting HA migration for CT {container.vmid} to node {target}")
        _act_later(cluster, container, lambda: _begin_move(cluster, container, source=task.node, move=move))

    return cluster.start_task(
        node=container.node, kind="hamigrate", label=str(container.vmid), user=user, work=work
    )


def fail_over(cluster: Cluster, node: str) -> None:
    """Move what the manager looks after from a node that is down to one that is not, and start it there."""
    for container in cluster.containers.values():
        if container.node == node and container.ha_seconds is not None:
            _act_later(cluster, container, lambda moved=container: _move(cluster, moved, node))  # type: ignore[misc]


def _move(cluster: Cluster, container: Container, node: str) -> None:
    target = next((one.name for one in cluster.nodes.values() if one.online), None)
    if target is None or cluster.nodes[node].online or container.node != node:
        return
    was_running = container.running
    if was_running:
        take_down(cluster, container)
    container.node = target
    cluster.mark(container)
    if was_running:
        bring_up(cluster, container)


def _begin_move(cluster: Cluster, container: Container, *, source: str, move: Callable[[], object]) -> None:
    if container.node == source and cluster.nodes[source].online:
        move()


def _bring_to(cluster: Cluster, container: Container, wanted: str) -> None:
    if container.ha_state != wanted or not cluster.nodes[container.node].online:
        return
    if wanted == "started" and not container.running:
        bring_up(cluster, container)
    elif wanted == "stopped" and container.running:
        take_down(cluster, container)


def _act_later(cluster: Cluster, container: Container, act: Callable[[], None]) -> None:
    """Let the manager act after its delay; its own work is no task that anybody sees."""

    def work() -> Work:
        yield Seconds(container.ha_seconds or 0)
        if cluster.containers.get(container.vmid) is container:
            act()

    hidden = Task(f"ha-{container.vmid}-{cluster.serial}", container.node, "ha", "", MANAGER, 0, 0, 0)
    cluster.serial += 1
    cluster.started.append(Job(hidden, work()))
