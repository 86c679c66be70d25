"""Snapshots of a container: taking, listing, describing, rolling back, deleting."""

from typing import Any

from tests.pvesim.api.config import check_free
from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.configs import compute_digest, list_disks, render_snapshot, show
from tests.pvesim.model.entities import Container, Snapshot, Task
from tests.pvesim.model.errors import TaskFailedError, refuse
from tests.pvesim.model.router import Call, route
from tests.pvesim.model.running import bring_up, take_down
from tests.pvesim.model.work import Share, Work

SNAPSHOTS = "/nodes/{node}/lxc/{vmid}/snapshot"
RESERVED = frozenset({"current", "vzdump", "pending"})
NOT_FROZEN = frozenset({"parent", "lock", "template"})


def can_snapshot(cluster: Cluster, container: Container) -> bool:
    """Whether every disk lies on a storage with snapshots."""
    names = [values["volume"].partition(":")[0] for _, values in list_disks(container.config)]
    return bool(names) and all(
        name in cluster.storages and cluster.storages[name].has_snapshots for name in names
    )


def need_snapshot(container: Container, name: str) -> Snapshot:
    """A snapshot for work under way."""
    if name not in container.snapshots:
        raise TaskFailedError(f"snapshot '{name}' does not exist")
    return container.snapshots[name]


@route("GET", SNAPSHOTS)
def list_snapshots(call: Call) -> list[dict[str, Any]]:
    container = call.cluster.get_container(call.node, call.vmid)
    entries = [_render_entry(one) for one in container.snapshots.values()]
    current: dict[str, Any] = {
        "name": "current",
        "description": "You are here!",
        "digest": compute_digest(container),
        "running": int(container.running),
    }
    if not container.running:
        current["running"] = 0
    if parent := container.config.get("parent"):
        current["parent"] = parent
    return [*entries, current]


def _render_entry(snapshot: Snapshot) -> dict[str, Any]:
    text = f"{snapshot.description}\n" if snapshot.description else ""
    entry: dict[str, Any] = {"name": snapshot.name, "snaptime": snapshot.time, "description": text}
    if snapshot.parent:
        entry["parent"] = snapshot.parent
    return entry


@route("POST", SNAPSHOTS)
def take_snapshot(call: Call) -> str:
    cluster, node, vmid, name = call.cluster, call.node, call.vmid, str(call.params["snapname"])
    if name in RESERVED:
        raise refuse(f"unable to use snapshot name '{name}' (reserved name)")

    def work(task: Task) -> Work:
        yield from cluster.hold_container(task, vmid)
        container = cluster.find_in_task(node, vmid)
        _check_new(cluster, container, name)
        container.config["lock"] = "snapshot"
        task.recovery = {"vmid": vmid}
        cluster.mark(container)
        try:
            yield Share(0.5)
            _freeze(cluster, container, name, str(call.get("description", "")))
        finally:
            container.config.pop("lock", None)
            cluster.mark(container)

    return cluster.start_task(node=node, kind="vzsnapshot", label=str(vmid), user=call.user, work=work)


def _check_new(cluster: Cluster, container: Container, name: str) -> None:
    if container.lock:
        raise TaskFailedError(f"CT is locked ({container.lock})")
    if container.config.get("template"):
        raise TaskFailedError("you can't take a snapshot if it's a template")
    if name in container.snapshots:
        raise TaskFailedError(f"snapshot name '{name}' already used")
    if not can_snapshot(cluster, container):
        raise TaskFailedError("snapshot feature is not available")


def _freeze(cluster: Cluster, container: Container, name: str, description: str) -> None:
    config = {key: value for key, value in container.config.items() if key not in NOT_FROZEN}
    container.snapshots[name] = Snapshot(
        name=name,
        time=int(cluster.now()),
        description=description,
        config=config,
        parent=container.config.get("parent"),
        guest=cluster.copy_guest(container.guest),
    )
    container.config["parent"] = name


@route("DELETE", SNAPSHOTS + "/{snapname}")
def delete_snapshot(call: Call) -> str:
    cluster, node, vmid, name = call.cluster, call.node, call.vmid, str(call.params["snapname"])

    def work(task: Task) -> Work:
        yield from cluster.hold_container(task, vmid)
        container = cluster.find_in_task(node, vmid)
        snapshot = need_snapshot(container, name)
        if container.lock:
            raise TaskFailedError(f"CT is locked ({container.lock})")
        yield Share(0.5)
        _forget(container, snapshot)
        cluster.mark(container)

    return cluster.start_task(node=node, kind="vzdelsnapshot", label=str(vmid), user=call.user, work=work)


def _forget(container: Container, snapshot: Snapshot) -> None:
    container.snapshots.pop(snapshot.name, None)
    for other in container.snapshots.values():
        if other.parent == snapshot.name:
            other.parent = snapshot.parent
    if container.config.get("parent") == snapshot.name:
        del container.config["parent"]
        if snapshot.parent:
            container.config["parent"] = snapshot.parent


@route("POST", SNAPSHOTS + "/{snapname}/rollback")
def roll_back(call: Call) -> str:
    cluster, node, vmid, name = call.cluster, call.node, call.vmid, str(call.params["snapname"])
    start = bool(call.get("start"))

    def work(task: Task) -> Work:
        path = f"/var/lock/pve-manager/pve-migrate-{vmid}"
        yield from cluster.hold(task, f"migrate-{vmid}", limit=10, path=path)
        yield from cluster.hold_container(task, vmid)
        container = cluster.find_in_task(node, vmid)
        snapshot = need_snapshot(container, name)
        if container.lock:
            raise TaskFailedError(f"CT is locked ({container.lock})")
        if container.running:
            take_down(cluster, container)
        yield Share(0.5)
        _thaw(cluster, container, snapshot)
        if start:
            bring_up(cluster, container)

    return cluster.start_task(node=node, kind="vzrollback", label=str(vmid), user=call.user, work=work)


def _thaw(cluster: Cluster, container: Container, snapshot: Snapshot) -> None:
    kept = container.config.get("description")
    container.config = {**snapshot.config, "parent": snapshot.name}
    if kept is not None:
        container.config.setdefault("description", kept)
    container.pending = {}
    container.guest = cluster.guests.from_dict(snapshot.guest) if snapshot.guest else None
    if container.guest:
        container.guest.shutdown()
    cluster.mark(container)


@route("GET", SNAPSHOTS + "/{snapname}/config")
def get_snapshot(call: Call) -> dict[str, Any]:
    container = call.cluster.get_container(call.node, call.vmid)
    snapshot = container.snapshots.get(str(call.params["snapname"]))
    if snapshot is None:
        raise refuse(f"snapshot '{call.params['snapname']}' does not exist")
    return show(render_snapshot(snapshot))


@route("PUT", SNAPSHOTS + "/{snapname}/config")
def describe_snapshot(call: Call) -> None:
    cluster = call.cluster
    container = cluster.get_container(call.node, call.vmid)
    check_free(container)
    snapshot = container.snapshots.get(str(call.params["snapname"]))
    if snapshot is None:
        raise refuse(f"snapshot '{call.params['snapname']}' does not exist")
    snapshot.description = str(call.get("description", snapshot.description))
    cluster.mark(container)
