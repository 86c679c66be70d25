"""Smaller things that a server answers: logs, hosts, storage definitions, backup jobs."""

from typing import Any

from tests.pvesim.model.entities import Storage
from tests.pvesim.model.errors import bad_params, refuse
from tests.pvesim.model.router import Call, route


@route("GET", "/nodes/{node}/hosts")
def get_hosts(call: Call) -> dict[str, str]:
    lines = [f"{node.address} {node.name}" for node in call.cluster.nodes.values()]
    return {"data": "127.0.0.1 localhost\n" + "\n".join(lines) + "\n", "digest": "0" * 40}


@route("GET", "/nodes/{node}/syslog")
def get_syslog(call: Call) -> list[dict[str, Any]]:
    return [{"n": 1, "t": "no content"}]


@route("GET", "/nodes/{node}/journal")
def get_journal(call: Call) -> list[str]:
    return []


@route("GET", "/nodes/{node}/netstat")
def get_traffic(call: Call) -> list[dict[str, Any]]:
    return [
        {"vmid": str(one.vmid), "dev": "net0", "in": "0", "out": "0"}
        for one in call.cluster.list_containers(call.node)
        if one.running
    ]


@route("GET", "/cluster/log")
def get_cluster_log(call: Call) -> list[dict[str, Any]]:
    return []


@route("GET", "/cluster/backup-info")
def list_backup_info(call: Call) -> list[dict[str, str]]:
    return [{"subdir": "not-backed-up"}]


@route("GET", "/access/users/{userid}/tfa")
def get_second_factor(call: Call) -> dict[str, Any]:
    return {"realm": None, "user": None, "types": []}


@route("POST", "/storage")
def create_storage(call: Call) -> dict[str, Any]:
    name = str(call.params["storage"])
    if name in call.cluster.storages:
        raise refuse(f"create storage failed: storage ID '{name}' already defined")
    storage = Storage(
        name,
        str(call.params["type"]),
        _split(call.get("content", "images,rootdir")),
        path=str(call.get("path", "")),
        shared=bool(call.get("shared")),
        nodes=_split(call.get("nodes", "")),
        prune=str(call.get("prune-backups", "")),
    )
    call.cluster.add("storages", name, storage)
    return {"storage": name, "type": storage.type}


def _split(text: Any) -> list[str]:
    return [one for one in str(text).replace(";", ",").split(",") if one]


def _need_storage(call: Call) -> Storage:
    name = str(call.params["storage"])
    if name not in call.cluster.storages:
        raise refuse(f"storage '{name}' does not exist")
    return call.cluster.storages[name]


@route("PUT", "/storage/{storage}")
def update_storage(call: Call) -> dict[str, Any]:
    storage = _need_storage(call)
    if call.get("content") is not None:
        storage.content = _split(call.params["content"])
    if call.get("nodes") is not None:
        storage.nodes = _split(call.params["nodes"])
    if call.get("prune-backups") is not None:
        storage.prune = str(call.params["prune-backups"])
    if call.get("disable") is not None:
        storage.enabled = not call.params["disable"]
    call.cluster.touch("storages", storage.name)
    return {"storage": storage.name, "type": storage.type}


@route("DELETE", "/storage/{storage}")
def delete_storage(call: Call) -> None:
    call.cluster.drop("storages", _need_storage(call).name)


@route("GET", "/cluster/backup/{id}")
def get_job(call: Call) -> dict[str, Any]:
    jobs = call.cluster.options.get("_jobs", [])
    job = next((one for one in jobs if one["id"] == call.params["id"]), None)
    if job is None:
        raise bad_params({"id": f"No such job '{call.params['id']}'"})
    return dict(job)


@route("DELETE", "/cluster/backup/{id}")
def delete_job(call: Call) -> None:
    job = get_job(call)
    call.cluster.options["_jobs"] = [one for one in call.cluster.options["_jobs"] if one["id"] != job["id"]]
    call.cluster.touch("settings", "options")
