"""What a storage holds: listing, attributes, notes, deletion, pruning."""

import re
from collections import defaultdict
from typing import Any

from tests.pvesim.model.archives import list_backups, mark_backups, parse_retention
from tests.pvesim.model.cluster import Cluster, no_such_storage
from tests.pvesim.model.entities import Storage, Task, Volume
from tests.pvesim.model.errors import TaskFailedError, bad_params, forbid, refuse
from tests.pvesim.model.guard import parse_content
from tests.pvesim.model.permissions import check, may
from tests.pvesim.model.router import Call, route
from tests.pvesim.model.work import Share, Work

CONTENT = "/nodes/{node}/storage/{storage}/content"


def need_storage(call: Call) -> Storage:
    """The storage of the path."""
    storage = call.cluster.storages.get(str(call.params["storage"]))
    if storage is None:
        raise no_such_storage()
    return call.cluster.get_storage(storage.name, call.node)


@route("GET", CONTENT)
def list_content(call: Call) -> list[dict[str, Any]]:
    storage = need_storage(call)
    kind, vmid = call.get("content"), call.get("vmid")
    found = [
        one
        for one in call.cluster.volumes.values()
        if one.storage == storage.name
        and one.node in {"", call.node}
        and (kind is None or one.content == kind)
        and (vmid is None or one.vmid == vmid)
    ]
    seen = [one for one in found if _may_see(call, one)]
    call.cluster.rng.shuffle(seen)
    return [_render(storage, one) for one in seen]


def _may_see(call: Call, volume: Volume) -> bool:
    if volume.vmid is None or may(
        call.cluster, call.user, f"/storage/{volume.storage}", "Datastore.Allocate"
    ):
        return True
    privilege = "VM.Backup" if volume.content == "backup" else "VM.Config.Disk"
    return may(call.cluster, call.user, f"/vms/{volume.vmid}", privilege)


def _shorten_notes(storage: Storage, notes: str) -> str:
    """The notes as a listing shows them: file storages give the first line, a backup server gives all."""
    return notes if storage.is_backup_server else notes.split("\n", 1)[0]


def _render(storage: Storage, volume: Volume) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "volid": volume.volid,
        "content": volume.content,
        "format": volume.format,
        "size": volume.size,
        "ctime": volume.ctime,
    }
    if volume.vmid is not None:
        entry["vmid"] = volume.vmid
    if volume.content == "rootdir":
        entry.update(parent=None, used=volume.used)
    if volume.content == "backup":
        entry["subtype"] = "lxc"
        if notes := _shorten_notes(storage, volume.notes or ""):
            entry["notes"] = notes
        if volume.protected:
            entry["protected"] = 1
        if volume.verification:
            upid = f"UPID:pbs:00000F2A:0001E240:00000001:{int(volume.ctime):08X}:verify:{volume.storage}:root@pam:"
            entry["verification"] = {"state": volume.verification, "upid": upid}
        if volume.encrypted:
            entry["encrypted"] = volume.encrypted
    return entry


def full_volid(call: Call) -> str:
    """The volume of the path, with its storage in front."""
    volume, storage = str(call.params["volume"]), call.params["storage"]
    if ":" not in volume:
        return f"{storage}:{volume}"
    named = volume.partition(":")[0]
    if named != storage:
        raise bad_params({"volume": f"storage ID missmatch ({named} != {storage})\n"})
    return volume


def need_volume(call: Call) -> Volume:
    """An existing volume of the path."""
    need_storage(call)
    volid = full_volid(call)
    volume = call.cluster.find_volume(volid, call.node)
    if volume is None:
        raise refuse(f"volume_size_info on '{volid}' failed - no format")
    return volume


def render_path(storage: Storage, name: str) -> str:
    """The file of a volume."""
    root = storage.path or f"/mnt/pve/{storage.name}"
    kind, _, rest = name.partition("/")
    folder = {"backup": "dump", "vztmpl": "template/cache", "iso": "template/iso"}.get(kind)
    return f"{root}/{folder}/{rest}" if folder else f"{root}/images/{name}"


@route("GET", CONTENT + "/{volume}")
def get_volume(call: Call) -> dict[str, Any]:
    volume = need_volume(call)
    found: dict[str, Any] = {
        "path": render_path(call.cluster.storages[volume.storage], volume.name),
        "size": volume.size,
        "used": volume.used or volume.size,
        "format": "raw",
    }
    if volume.content == "backup":
        found.update(notes=volume.notes or "", protected=int(volume.protected))
    return found


@route("PUT", CONTENT + "/{volume}")
def update_volume(call: Call) -> None:
    volume = need_volume(call)
    if not _may_see(call, volume):
        raise forbid(f"/storage/{volume.storage}, Datastore.Allocate")
    if call.get("notes") is not None:
        volume.notes = str(call.params["notes"])
    if call.get("protected") is not None:
        volume.protected = bool(call.params["protected"])
    call.cluster.touch("volumes", volume.key)


@route("DELETE", CONTENT + "/{volume}")
def delete_volume(call: Call) -> str:
    cluster, node = call.cluster, call.node
    storage = need_storage(call)
    volid = full_volid(call)
    name = volid.partition(":")[2]
    owner = _find_owner(cluster.find_volume(volid, node), name)
    if not re.match(r"(backup|vztmpl|iso|snippets|import)/|(\d+/)?(vm|base|subvol)-\d+-", name):
        raise refuse(
            f"unable to parse {storage.type if storage.type != 'dir' else 'directory'} volume name '{name}'"
        )
    _check_delete(call, storage, name, owner)
    return cluster.start_task(
        node=node, kind="imgdel", label=f"{owner}@{storage.name}" if owner else storage.name, user=call.user,
        work=lambda task: _delete_work(cluster, task, volid=volid, node=node),
    )  # fmt: skip


def _find_owner(volume: Volume | None, name: str) -> int | None:
    if volume is not None:
        return volume.vmid
    found = re.search(r"(?:vzdump-\w+-|vm-|base-|subvol-|backup/ct/)(\d+)[-/]", name)
    return int(found[1]) if found else None


def _check_delete(call: Call, storage: Storage, name: str, owner: int | None) -> None:
    path = f"/storage/{storage.name}"
    if may(call.cluster, call.user, path, "Datastore.Allocate"):
        return
    is_backup = parse_content(name) == "backup"
    if is_backup and owner and may(call.cluster, call.user, f"/vms/{owner}", "VM.Backup"):
        check(call.cluster, call.user, path, "Datastore.AllocateSpace")
        return
    raise forbid(f"{path}, Datastore.Allocate")


def _delete_work(cluster: Cluster, task: Task, *, volid: str, node: str) -> Work:
    yield Share(0.3)
    volume = cluster.find_volume(volid, node)
    if volume is not None and volume.protected:
        storage, _, name = volid.partition(":")
        raise TaskFailedError(f"cannot remove protected volume '{name}' on '{storage}'")
    if volume is not None:
        cluster.drop("volumes", volume.key)
    task.log(f"Removed volume '{volid}'")


PRUNE = "/nodes/{node}/storage/{storage}/prunebackups"


def _mark(call: Call) -> list[tuple[Volume, str]]:
    storage = need_storage(call)
    rules = parse_retention(str(call.get("prune-backups", storage.prune)))
    if rules.get("keep-all") and sum(map(bool, rules.values())) > 1:
        text = "invalid format - keep-all cannot be set together with other options.\n"
        raise bad_params({"prune-backups": text})
    if not rules:
        raise refuse(f"no prune-backups options configured for storage '{storage.name}'")
    groups: dict[int, list[Volume]] = defaultdict(list)
    for one in list_backups(call.cluster, storage.name, call.node, call.get("vmid")):
        groups[one.vmid or 0].append(one)
    marked: list[tuple[Volume, str]] = []
    for group in groups.values():
        marks = mark_backups(group, rules)
        marked += [(one, marks[one.volid]) for one in sorted(group, key=lambda one: one.ctime)]
    return marked


@route("GET", PRUNE)
def preview_prune(call: Call) -> list[dict[str, Any]]:
    return [
        {"volid": one.volid, "ctime": one.ctime, "type": "lxc", "vmid": one.vmid, "mark": mark}
        for one, mark in _mark(call)
    ]


@route("DELETE", PRUNE)
def prune(call: Call) -> str:
    cluster, node, storage = call.cluster, call.node, need_storage(call)
    if not may(cluster, call.user, f"/storage/{storage.name}", "Datastore.Allocate"):
        check(cluster, call.user, f"/storage/{storage.name}", "Datastore.AllocateSpace")
        check(cluster, call.user, f"/vms/{call.get('vmid', 0)}", "VM.Backup")

    def work(task: Task) -> Work:
        yield Share(0.5)
        for one, mark in _mark(call):
            task.log(f"{mark} {one.volid}")
            if mark == "remove":
                cluster.drop("volumes", one.key)

    label = f"{call.get('vmid', '')}@{storage.name}" if call.get("vmid") else storage.name
    return cluster.start_task(node=node, kind="prunebackups", label=label, user=call.user, work=work)
