"""POST move_volume: a mount point's volume goes to another container. Moves between storages are not simulated."""

from typing import Any

from tests.pvesim.api.config import check_free
from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.configs import join_disk, split_option
from tests.pvesim.model.disks import get_kind, rename_disk
from tests.pvesim.model.entities import Container, Task
from tests.pvesim.model.errors import bad_params, refuse
from tests.pvesim.model.permissions import check
from tests.pvesim.model.router import Call, route
from tests.pvesim.model.work import Share, Work


@route("POST", "/nodes/{node}/lxc/{vmid}/move_volume")
def move_volume(call: Call) -> str:
    cluster, key = call.cluster, str(call.params["volume"])
    if call.get("target-vmid") is None or call.get("storage") is not None:
        message = "both 'storage' and 'target-vmid' missing, either needs to be set"
        raise bad_params({"storage": message, "target-vmid": message})
    other, place = int(call.params["target-vmid"]), str(call.get("target-volume") or key)
    check(cluster, call.user, f"/vms/{other}", "VM.Config.Disk")
    source, target = _load(cluster, call.node, call.vmid, other)
    values = _check_volume(source, target, key=key, place=place)
    storage = values["volume"].partition(":")[0]
    check(cluster, call.user, f"/storage/{storage}", "Datastore.AllocateSpace")

    def work(task: Task) -> Work:
        for vmid in (call.vmid, other):
            yield from cluster.hold_container(task, vmid)
        task.log(f"moving volume '{key}' from container '{call.vmid}' to '{other}'")
        yield Share(0.5)
        source, target = _load(cluster, call.node, call.vmid, other)
        _hand_over(cluster, source, target, key=key, place=place)
        task.log(f"target container '{other}' updated with '{place}'")

    label = f"{call.vmid}-{key}>{other}-{place}"
    return cluster.start_task(node=call.node, kind="move_volume", label=label, user=call.user, work=work)


def _load(cluster: Cluster, node: str, vmid: int, other: int) -> tuple[Container, Container]:
    source, target = cluster.containers.get(vmid), cluster.containers.get(other)
    for number, one in ((vmid, source), (other, target)):
        if one is None:
            raise refuse(f"could not find CT {number}")
    assert source is not None
    assert target is not None
    if source.node != target.node:
        raise refuse(f"Both containers need to be on the same node ({source.node} != {target.node})")
    for one in (source, target):
        check_free(one)
    return source, target


def _check_volume(source: Container, target: Container, *, key: str, place: str) -> dict[str, Any]:
    if "rootfs" in (key, place):
        raise refuse("Cannot move to/from 'rootfs'")
    if key not in source.config:
        raise refuse(f"volume '{key}' for container '{source.vmid}' does not exist")
    if place in target.config:
        raise refuse(f"Target volume key '{place}' is already in use for container '{target.vmid}'")
    values = split_option(key, str(source.config[key]))
    if any(values["volume"] in str(one.config.get(key, "")) for one in source.snapshots.values()):
        raise refuse("Cannot move volume used by a snapshot to another container")
    if get_kind(values["volume"]) != "volume":
        raise refuse("Cannot move a bindmount or device mount to another container")
    if source.running:
        raise refuse("Cannot move in-use volume while the source CT is running - detach or shutdown first")
    return values


def _hand_over(cluster: Cluster, source: Container, target: Container, *, key: str, place: str) -> None:
    values = _check_volume(source, target, key=key, place=place)
    volume = rename_disk(cluster, values, vmid=target.vmid, node=source.node)
    del source.config[key]
    target.config[place] = join_disk({**values, "volume": volume})
    if source.guest and target.guest:
        target.guest.put_files(source.guest.take_files(values["mp"]))
    cluster.mark(source)
    cluster.mark(target)
