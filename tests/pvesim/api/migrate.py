"""Moving a container to another node, stopped or with a restart."""

from typing import Any

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.configs import list_disks
from tests.pvesim.model.dump import render_stamp
from tests.pvesim.model.entities import Container, Task
from tests.pvesim.model.errors import TaskFailedError, bad_params, refuse
from tests.pvesim.model.ha import MANAGER, request_move
from tests.pvesim.model.router import Call, route
from tests.pvesim.model.running import bring_up, take_down
from tests.pvesim.model.work import Share, Work

MIGRATE = "/nodes/{node}/lxc/{vmid}/migrate"


@route("GET", MIGRATE)
def check_migration(call: Call) -> dict[str, Any]:
    cluster = call.cluster
    container = cluster.get_container(call.node, call.vmid)
    others = [name for name, node in cluster.nodes.items() if name != call.node and node.online]
    fitting = [name for name in others if not _find_obstacles(cluster, container, name)]
    return {"running": int(container.running), "allowed-nodes": fitting, "not-allowed-nodes": {}}


def _find_obstacles(cluster: Cluster, container: Container, target: str) -> list[str]:
    names = [values["volume"].partition(":")[0] for _, values in list_disks(container.config)]
    held = [cluster.storages.get(name) for name in names]
    frozen = [one.name for one in held if one and not one.shared and one.type != "zfspool"]
    if container.snapshots and frozen:
        return [f"can't migrate local volume on '{frozen[0]}': non-migratable snapshot exists"]
    return [
        f"storage '{one.name}' is not available on node '{target}'"
        for one in held
        if one and one.nodes and target not in one.nodes
    ]


@route("POST", MIGRATE)
def migrate(call: Call) -> str:
    cluster, node, vmid, target = call.cluster, call.node, call.vmid, str(call.params["target"])
    if target == node:
        raise bad_params({"target": "target is local node."})
    if target not in cluster.nodes:
        raise refuse(f"no such cluster node '{target}'")
    container = cluster.get_container(node, vmid)
    online, restart = bool(call.get("online")), bool(call.get("restart"))
    if container.running and not online and not restart:
        raise refuse("can't migrate running container without --online or --restart")

    def start_migration(user: str) -> str:
        return cluster.start_task(
            node=node, kind="vzmigrate", label=str(vmid), user=user,
            work=lambda task: _migrate_work(cluster, task, node=node, vmid=vmid, target=target, online=online),
        )  # fmt: skip

    if container.ha_seconds is not None:
        return request_move(
            cluster, container, target=target, user=call.user, move=lambda: start_migration(MANAGER)
        )
    return start_migration(call.user)


def _migrate_work(cluster: Cluster, task: Task, *, node: str, vmid: int, target: str, online: bool) -> Work:
    yield from cluster.hold_container(task, vmid)
    container = cluster.find_in_task(node, vmid)
    if reason := _find_refusal(cluster, container, target=target, online=online):
        task.log(f"{render_stamp(cluster)} ERROR: migration aborted (duration 00:00:00): {reason}")
        raise TaskFailedError("migration aborted")
    was_running = container.running
    task.log(f"{render_stamp(cluster)} starting migration of CT {vmid} to node '{target}'")
    container.config["lock"] = "migrate"
    task.recovery = {"vmid": vmid}
    try:
        if was_running:
            task.log(f"{render_stamp(cluster)} shutdown CT {vmid}")
            take_down(cluster, container)
        yield Share(0.8)
        _move_volumes(cluster, container, target)
        container.node = target
    finally:
        container.config.pop("lock", None)
        cluster.mark(container)
    if was_running:
        task.log(f"{render_stamp(cluster)} start container on target node")
        bring_up(cluster, container)
    task.log(f"{render_stamp(cluster)} migration finished successfully (duration 00:00:01)")


def _find_refusal(cluster: Cluster, container: Container, *, target: str, online: bool) -> str:
    if container.lock:
        return f"CT is locked ({container.lock})"
    if container.running and online:
        return "lxc live migration is currently not implemented"
    if not cluster.nodes[target].online:
        return f"Can't connect to destination address of node '{target}'"
    return next(iter(_find_obstacles(cluster, container, target)), "")


def _move_volumes(cluster: Cluster, container: Container, target: str) -> None:
    for volume in [
        one for one in cluster.volumes.values() if one.vmid == container.vmid and one.content == "rootdir"
    ]:
        if volume.node:
            cluster.drop("volumes", volume.key)
            volume.node = target
            cluster.add("volumes", volume.key, volume)
