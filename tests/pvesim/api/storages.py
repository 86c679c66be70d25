"""Storages: configuration and how full they are."""

import hashlib
from typing import Any

from tests.pvesim.api.content import need_storage
from tests.pvesim.model.entities import Storage
from tests.pvesim.model.errors import refuse
from tests.pvesim.model.permissions import may
from tests.pvesim.model.router import Call, route
from tests.pvesim.model.totals import count_used

STORAGE = "/nodes/{node}/storage"


def may_see(call: Call, name: str) -> bool:
    """Whether the user may know of a storage."""
    return may(
        call.cluster, call.user, f"/storage/{name}", "Datastore.Audit", "Datastore.AllocateSpace", any_of=True
    )


def render_status(call: Call, storage: Storage, node: str) -> dict[str, Any]:
    """How full a storage is on a node."""
    used = count_used(call.cluster, storage, node)
    return {
        "type": storage.type,
        "content": ",".join(storage.content),
        "enabled": int(storage.enabled),
        "active": int(storage.enabled),
        "shared": int(storage.shared),
        "total": storage.total,
        "used": used,
        "avail": storage.total - used,
    }


@route("GET", STORAGE)
def list_statuses(call: Call) -> list[dict[str, Any]]:
    kinds = [one for one in str(call.get("content", "")).split(",") if one]
    found = []
    for storage in call.cluster.storages.values():
        fits = not kinds or any(kind in storage.content for kind in kinds)
        here = not storage.nodes or call.node in storage.nodes
        wanted = call.get("storage") in {None, storage.name} and (storage.enabled or not call.get("enabled"))
        if fits and here and wanted and may_see(call, storage.name):
            status = render_status(call, storage, call.node)
            share = status["used"] / storage.total
            found.append({"storage": storage.name, **status, "used_fraction": share})
    return found


@route("GET", STORAGE + "/{storage}/status")
def get_status(call: Call) -> dict[str, Any]:
    return render_status(call, need_storage(call), call.node)


@route("GET", "/storage")
def list_storages(call: Call) -> list[dict[str, Any]]:
    seen = [one for one in call.cluster.storages.values() if may_see(call, one.name)]
    kind = call.get("type")
    return [_render(call, one) for one in seen if kind in {None, one.type}]


@route("GET", "/storage/{storage}")
def get_storage(call: Call) -> dict[str, Any]:
    name = str(call.params["storage"])
    if name not in call.cluster.storages:
        raise refuse(f"storage '{name}' does not exist")
    return _render(call, call.cluster.storages[name])


def _render(call: Call, storage: Storage) -> dict[str, Any]:
    digest = hashlib.sha1(",".join(sorted(call.cluster.storages)).encode(), usedforsecurity=False).hexdigest()
    entry: dict[str, Any] = {
        "storage": storage.name,
        "type": storage.type,
        "content": ",".join(storage.content),
        "digest": digest,
    }
    entry.update(storage.settings)
    if storage.path:
        entry["path"] = storage.path
    elif storage.type in {"nfs", "cifs", "cephfs"}:
        entry["path"] = f"/mnt/pve/{storage.name}"
    if storage.shared:
        entry["shared"] = 1
    if storage.prune:
        entry["prune-backups"] = storage.prune
    if storage.nodes:
        entry["nodes"] = ",".join(storage.nodes)
    return entry
