"""Containers with our mark = apps that should have one, and as the apps say."""

from __future__ import annotations

from collections.abc import Iterator

from services.inventory.proxmox.marks import find_owner
from tests.chaos.evidence import Evidence, Row

_STABLE = {"running", "stopped", "error"}


def check_containers(evidence: Evidence) -> Iterator[str]:
    """Say which are leaked, missing, or other than their app says."""
    yield from _check_marked(evidence)
    for app in evidence.apps:
        yield from _check_app(evidence, app)
    yield from _check_disks(evidence)
    for finding in evidence.findings:
        yield f"reconciliation finds {finding.get('type')}: {finding.get('message')}"


def _check_marked(evidence: Evidence) -> Iterator[str]:
    apps = {app["id"]: app for app in evidence.apps}
    hostnames: dict[str, int] = {}
    yield from _check_duplicates(evidence)
    for vmid, one in evidence.containers.items():
        owner = find_owner(one["config"])
        if owner is None:
            if str(vmid) not in evidence.before.get("containers", {}):
                yield f"container {vmid} was made and carries no marks: {one['config']}"
            continue
        app = apps.get(owner)
        if app is None:
            yield f"container {vmid} carries the mark of {owner}, which is no app"
        elif app["vmid"] != vmid:
            yield f"container {vmid} carries the mark of {owner}, whose container is {app['vmid']}"
        hostname = str(one["config"].get("hostname"))
        if hostname in hostnames:
            yield f"containers {hostnames[hostname]} and {vmid} have the same hostname {hostname}"
        hostnames[hostname] = vmid


def _check_duplicates(evidence: Evidence) -> Iterator[str]:
    """No app has two containers, whatever the databases say."""
    marked: dict[str, list[int]] = {}
    for vmid, one in evidence.containers.items():
        if (owner := find_owner(one["config"])) is not None:
            marked.setdefault(owner, []).append(vmid)
    for owner, vmids in marked.items():
        if len(vmids) > 1:
            yield f"{owner} has {len(vmids)} containers: {', '.join(map(str, sorted(vmids)))}"


def _check_app(evidence: Evidence, app: Row) -> Iterator[str]:
    name = f"{app['id']} ({app['status']})"
    if app["status"] not in _STABLE:
        yield f"{name} rests in a status that passes"
    if app["vmid"] is None:
        if app["status"] != "error":
            yield f"{name} has no container"
        return
    one = evidence.containers.get(app["vmid"])
    if one is None:
        yield f"{name} should have container {app['vmid']}, which is gone"
        return
    if find_owner(one["config"]) != app["id"]:
        yield f"container {app['vmid']} of {name} carries the mark of {find_owner(one['config'])}"
    yield from _compare(app, one, name)
    if app["status"] == "running" and not app["adopted"] and evidence.pages.get(app["id"], 200) != 200:
        yield f"{name} answers {evidence.pages[app['id']]}"


def _compare(app: Row, one: Row, name: str) -> Iterator[str]:
    where = f"container {one['vmid']} of {name}"
    if app["status"] in {"running", "stopped"} and one["running"] != (app["status"] == "running"):
        yield f"{where} is {'running' if one['running'] else 'stopped'}"
    if lock := one["config"].get("lock"):
        yield f"{where} is locked ({lock})"
    if one["node"] != app["node"]:
        yield f"{where} is on {one['node']}, not on {app['node']}"
    if app["adopted"]:
        return
    if one["config"].get("hostname") != app["hostname"]:
        yield f"{where} has hostname {one['config'].get('hostname')}, not {app['hostname']}"
    memory, wanted = one["config"].get("memory"), app["config"].get("memory")
    if app["status"] != "error" and str(memory) != str(wanted):
        yield f"{where} has {memory} MB of memory, not {wanted}"


def _check_disks(evidence: Evidence) -> Iterator[str]:
    for volume in evidence.after.get("volumes", []):
        owner = volume.get("vmid")
        if volume["content"] in {"rootdir", "images"} and owner and int(owner) not in evidence.containers:
            yield f"disk {volume['volid']} belongs to container {owner}, which is gone"
