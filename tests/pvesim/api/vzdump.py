"""Backups: POST vzdump, its defaults, and the configuration inside an archive."""

import shlex
from dataclasses import dataclass
from typing import Any

from tests.pvesim.model.archives import parse_retention
from tests.pvesim.model.dump import Job, work_dump
from tests.pvesim.model.errors import bad_params, forbid, refuse
from tests.pvesim.model.permissions import ROOT, check
from tests.pvesim.model.restore import CONFIG_SHARE, NO_CONFIG
from tests.pvesim.model.router import Call, route

ROOT_ONLY = ("tmpdir", "dumpdir", "script", "job-id")
DEFAULTS: dict[str, Any] = {
    "stop": 0, "notification-mode": "auto", "ionice": 7, "mailnotification": "always", "stdexcludes": 1,
    "bwlimit": 0, "fleecing": {"enabled": 0}, "pigz": 0, "zstd": 1, "lockwait": 180, "remove": 1, "stopwait": 10,
    "performance": {"pbs-entries-max": 1048576, "max-workers": 16}, "quiet": 0, "compress": "0", "all": 0,
    "mode": "snapshot",
}  # fmt: skip


@dataclass(frozen=True)
class _Selection:
    vmids: list[int]
    label: str


@route("POST", "/nodes/{node}/vzdump")
def start_backup(call: Call) -> str:
    _check_parameters(call)
    selection = _select(call)
    storage = str(call.get("storage", "local"))
    _check_rights(call, storage, selection.vmids)
    job = Job(
        node=call.node,
        storage=storage,
        vmids=selection.vmids,
        mode=str(call.get("mode", "snapshot")),
        compress=str(call.get("compress", "0")),
        remove=bool(call.get("remove", 1)),
        prune=parse_retention(str(call.get("prune-backups", ""))),
        protected=bool(call.get("protected")),
        notes=call.get("notes-template"),
        bwlimit=int(call.get("bwlimit", 0)),
        command=_describe(call, selection.vmids),
    )
    cluster = call.cluster
    return cluster.start_task(
        node=call.node, kind="vzdump", label=selection.label, user=call.user,
        work=lambda task: work_dump(cluster, task, job),
    )  # fmt: skip


def _check_parameters(call: Call) -> None:
    for name in ROOT_ONLY:
        if call.get(name) is not None and call.user != ROOT:
            raise bad_params({name: "Only root may set this option."})
    chosen = [name for name in ("vmid", "all", "pool") if call.get(name)]
    if not chosen and not call.get("stop"):
        raise bad_params({"vmid": "property is missing"})
    if "vmid" in chosen and len(chosen) > 1:
        raise bad_params({chosen[1]: "option conflicts with option 'vmid'"})


def _select(call: Call) -> _Selection:
    cluster = call.cluster
    if call.get("vmid"):
        vmids = sorted(
            {
                int(one)
                for one in str(call.params["vmid"]).replace(";", ",").replace(" ", ",").split(",")
                if one
            }
        )
        return _Selection(vmids, str(vmids[0]) if len(vmids) == 1 else "")
    pool = cluster.pools.get(str(call.get("pool", "")))
    left_out = {int(one) for one in str(call.get("exclude", "")).split(",") if one}
    known = pool.vms if pool else sorted(one.vmid for one in cluster.list_containers(call.node))
    return _Selection([vmid for vmid in known if vmid not in left_out], "")


def _check_rights(call: Call, storage: str, vmids: list[int]) -> None:
    check(call.cluster, call.user, f"/storage/{storage}", "Datastore.AllocateSpace")
    for vmid in vmids:
        check(call.cluster, call.user, f"/vms/{vmid}", "VM.Backup")


def _describe(call: Call, vmids: list[int]) -> str:
    given = {key: value for key, value in call.params.items() if key != "vmid"}
    options = " ".join(f"--{key} {shlex.quote(str(value))}" for key, value in given.items())
    return f"vzdump {' '.join(map(str, vmids))} {options}"


@route("GET", "/nodes/{node}/vzdump/defaults")
def get_defaults(call: Call) -> dict[str, Any]:
    name = str(call.get("storage", "local"))
    check(
        call.cluster, call.user, f"/storage/{name}", "Datastore.Audit", "Datastore.AllocateSpace", any_of=True
    )
    storage = call.cluster.get_storage(name, call.node)
    retention = storage.prune or call.cluster.nodes[call.node].prune
    return {**DEFAULTS, "storage": name, "dumpdir": f"{storage.path}/dump", "prune-backups": retention}


@route("GET", "/nodes/{node}/vzdump/extractconfig")
def extract_config(call: Call) -> str:
    volid = str(call.params["volume"])
    storage, sign, _ = volid.partition(":")
    if not sign:
        raise refuse(f"unable to parse volume ID '{volid}'")
    call.cluster.get_storage(storage, call.node)
    volume = call.cluster.find_volume(volid, call.node)
    if volume is None or volume.content != "backup":
        raise refuse(f"unable to extract config from '{volid}' - volume does not exist")
    try:
        check(call.cluster, call.user, f"/vms/{volume.vmid}", "VM.Backup")
    except Exception as error:
        raise forbid(f"/vms/{volume.vmid}, VM.Backup") from error
    if volume.readable < CONFIG_SHARE:
        raise refuse(NO_CONFIG)
    return volume.config
