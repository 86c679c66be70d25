"""Cloning a container, and making a template of one."""

from tests.pvesim.api.config import check_free
from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.configs import list_disks, normalise
from tests.pvesim.model.disk_logs import log_copied_files, log_new_disk
from tests.pvesim.model.disks import copy_disks
from tests.pvesim.model.entities import Config, Container, Task
from tests.pvesim.model.errors import TaskFailedError, refuse
from tests.pvesim.model.permissions import check
from tests.pvesim.model.properties import parse_size
from tests.pvesim.model.restore import renew_addresses
from tests.pvesim.model.router import Call, route
from tests.pvesim.model.work import Share, Work

CT = "/nodes/{node}/lxc/{vmid}"


@route("POST", f"{CT}/clone")
def clone(call: Call) -> str:
    cluster, node, vmid = call.cluster, call.node, call.vmid
    target, newid = str(call.get("target", node)), int(call.params["newid"])
    if target not in cluster.nodes:
        raise refuse(f"no such cluster node '{target}'")
    if storage := call.get("storage"):
        cluster.get_storage(storage, target)
        check(cluster, call.user, f"/storage/{storage}", "Datastore.AllocateSpace")
    source = cluster.get_container(node, vmid)
    cluster.check_unused(newid)
    check_free(source)
    _check_source(call, source)
    _check_target(cluster, source, target)
    pool = call.get("pool")
    if pool is not None and pool not in cluster.pools:
        raise refuse(f"pool '{pool}' does not exist")
    source.config["lock"] = "disk"
    cluster.mark(source)
    cluster.add_container(Container(newid, target, {"lock": "create"}))
    return cluster.start_task(
        node=node, kind="vzclone", label=str(vmid), user=call.user,
        work=lambda task: _clone_work(call, task, source, target=target, newid=newid),
    )  # fmt: skip


def is_full(call: Call, source: Container) -> bool:
    """Asked for, or the source is no template."""
    return bool(call.get("full", 0 if source.config.get("template") else 1))


def _check_source(call: Call, source: Container) -> None:
    snapshot = call.get("snapname")
    if snapshot and snapshot not in source.snapshots:
        raise refuse(f"snapshot '{snapshot}' does not exist")
    full = is_full(call, source)
    if full and source.running and not snapshot:
        raise refuse("Full clone of a running container is only possible from a snapshot")
    if full:
        return
    if call.get("storage"):
        raise refuse("parameter 'storage' not allowed for linked clones")
    for _, values in list_disks(source.config):
        storage = call.cluster.storages.get(values["volume"].partition(":")[0])
        if not source.config.get("template") or storage is None:
            raise refuse(f"Linked clone feature for '{values['volume']}' is not available")


def _check_target(cluster: Cluster, source: Container, target: str) -> None:
    if target == source.node:
        return
    for _, values in list_disks(source.config):
        storage = cluster.storages.get(values["volume"].partition(":")[0])
        if storage is None or not storage.shared:
            raise refuse(f"can't clone CT to node '{target}' (CT uses local storage)")


def _clone_work(call: Call, task: Task, source: Container, *, target: str, newid: int) -> Work:
    cluster = call.cluster
    task.recovery = {"vmid": newid, "remove": True, "unlock": source.vmid}
    task.log(f"creating a clone of container {source.vmid} with ID {newid}")
    try:
        yield from cluster.hold_container(task, newid)
        kind = "full clone of mountpoint" if is_full(call, source) else "linked clone of mount point"
        for option, values in list_disks(source.config):
            task.log(f"create {kind} {option} ({values['volume']})")
            if is_full(call, source):
                _log_copy(call, task, values, newid=newid)
        yield Share(0.9)
        if is_full(call, source):
            log_copied_files(task, source.vmid * 1000 + 134_059_292)
        _copy(call, source, cluster.containers[newid])
    except TaskFailedError:
        cluster.remove_container(newid)
        raise
    finally:
        if source.config.get("lock") == "disk":
            del source.config["lock"]
            cluster.mark(source)


def _log_copy(call: Call, task: Task, values: dict[str, str], *, newid: int) -> None:
    name, _, volume = values["volume"].partition(":")
    storage = call.cluster.storages.get(str(call.get("storage") or name))
    if storage is not None:
        copy = volume.replace(f"{call.vmid}/vm-{call.vmid}-", f"{newid}/vm-{newid}-")
        log_new_disk(task, storage, copy, parse_size(values.get("size", "4G")))


def _copy(call: Call, source: Container, copy: Container) -> None:
    cluster = call.cluster
    snapshot = source.snapshots.get(str(call.get("snapname", "")))
    config: Config = dict(snapshot.config if snapshot else source.config)
    if snapshot:
        config.pop("description", None)
        if snapshot.description:
            config["description"] = snapshot.description
    for gone in ("lock", "parent", "template"):
        config.pop(gone, None)
    config.update(copy_disks(cluster, config, vmid=copy.vmid, node=copy.node, storage=call.get("storage")))
    renew_addresses(cluster, config)
    for option in ("hostname", "description"):
        if call.get(option) is not None:
            config[option] = normalise(cluster, option, call.params[option])
    inside = snapshot.guest if snapshot else cluster.copy_guest(source.guest)
    copy.config = config
    copy.image = source.image
    copy.guest = cluster.guests.from_dict(inside) if inside else None
    if copy.guest:
        copy.guest.shutdown()
    _join_pool(cluster, call.get("pool"), copy.vmid)
    cluster.mark(copy)


def _join_pool(cluster: Cluster, pool: str | None, vmid: int) -> None:
    if pool and vmid not in cluster.pools[pool].vms:
        cluster.pools[pool].vms.append(vmid)
        cluster.touch("pools", pool)


@route("POST", f"{CT}/template")
def make_template(call: Call) -> None:
    cluster = call.cluster
    container = cluster.get_container(call.node, call.vmid)
    check_free(container)
    if container.snapshots:
        raise refuse("unable to create template, because CT contains snapshots")
    if container.config.get("template"):
        raise refuse("you can't convert a template to a template")
    if container.running:
        raise refuse("you can't convert a CT to template if it is running")
    for option, values in list_disks(container.config):
        _rename_to_base(cluster, container, option, values)
    container.config["template"] = 1
    cluster.mark(container)


def _rename_to_base(cluster: Cluster, container: Container, option: str, values: dict[str, str]) -> None:
    volume = cluster.find_volume(values["volume"], container.node)
    if volume is None:
        return
    cluster.drop("volumes", volume.key)
    volume.name = volume.name.replace("vm-", "base-")
    cluster.add("volumes", volume.key, volume)
    container.config[option] = str(container.config[option]).replace(values["volume"], volume.volid)
