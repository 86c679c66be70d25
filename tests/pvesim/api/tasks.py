"""Tasks: lists, status, logs, stopping."""

import re
from typing import Any

from tests.pvesim.model.entities import Task
from tests.pvesim.model.errors import bad_params
from tests.pvesim.model.permissions import check, may
from tests.pvesim.model.router import Call, Page, route

TASKS = "/nodes/{node}/tasks"
UPID = re.compile(r"UPID:[^:\s]+:[0-9A-F]{8}:[0-9A-F]{8,9}:[0-9A-F]{8}:[^:\s]+:[^:\s]*:[^:\s]+:")


def owns(call: Call, task: Task) -> bool:
    """Whether a task belongs to the caller, or to the user of the caller's token."""
    return call.user in {task.user, task.user.partition("!")[0]} or call.user.partition("!")[0] == task.user


def read_upid(call: Call) -> str:
    """The UPID of the path, which must look like one."""
    upid = str(call.params["upid"])
    if not UPID.fullmatch(upid):
        raise bad_params({"upid": "unable to parse worker upid"})
    return upid


def need_task(call: Call) -> Task:
    """The task of the path, if there is one and the caller may look at it."""
    task = call.cluster.tasks.get(read_upid(call))
    if task is None:
        raise bad_params({"upid": "no such task"})
    if not owns(call, task):
        check(call.cluster, call.user, f"/nodes/{call.node}", "Sys.Audit")
    return task


def _render(task: Task) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "upid": task.upid,
        "node": task.node,
        "pid": task.pid,
        "pstart": task.pstart,
        "starttime": task.starttime,
        "type": task.type,
        "id": task.id,
        "user": task.user,
    }
    if task.running:
        return {**entry, "status": "RUNNING", "saved": "0"}
    return {**entry, "status": task.exitstatus, "endtime": task.endtime}


def _classify(task: Task) -> str:
    status = task.exitstatus or ""
    if status == "OK":
        return "ok"
    return "warning" if status.startswith("WARNINGS") else "error"


def _fits(call: Call, task: Task) -> bool:
    source = call.get("source", "archive")
    statuses = str(call.get("statusfilter", "")).replace(" ", ",").split(",")
    return (
        task.node == call.node
        and (source == "all" or (source == "active") == task.running)
        and (call.get("vmid") is None or task.id == str(call.params["vmid"]))
        and call.get("typefilter", task.type) == task.type
        and str(call.get("userfilter", "")).lower() in task.user.lower()
        and call.get("since", task.starttime) <= task.starttime <= call.get("until", task.starttime)
        and (not call.get("errors") or task.running or _classify(task) == "error")
        and (statuses == [""] or task.running or _classify(task) in statuses)
    )


@route("GET", TASKS)
def list_tasks(call: Call) -> Page:
    everything = may(call.cluster, call.user, f"/nodes/{call.node}", "Sys.Audit")
    found = [
        one
        for one in reversed(list(call.cluster.tasks.values()))
        if _fits(call, one) and (everything or owns(call, one))
    ]
    found.sort(key=lambda one: not one.running)
    start, limit = int(call.get("start", 0)), int(call.get("limit", 50))
    return Page([_render(one) for one in found[start : start + limit]], len(found))


@route("GET", "/cluster/tasks")
def list_recent(call: Call) -> list[dict[str, Any]]:
    found = [
        one
        for one in call.cluster.tasks.values()
        if owns(call, one) or may(call.cluster, call.user, f"/nodes/{one.node}", "Sys.Audit")
    ]
    recent = sorted(found, key=lambda one: (not one.running, -one.starttime))[:25]
    return [_render_recent(one) for one in recent]


def _render_recent(task: Task) -> dict[str, Any]:
    entry = {key: getattr(task, key) for key in ("upid", "node", "type", "id", "user", "starttime")}
    if task.running:
        return {**entry, "saved": "0", "pid": task.pid}
    return {**entry, "saved": "1", "status": task.exitstatus, "endtime": task.endtime}


@route("GET", TASKS + "/{upid}/status")
def get_task(call: Call) -> dict[str, Any]:
    task = need_task(call)
    keys = ("upid", "node", "pid", "pstart", "starttime", "type", "id", "user")
    found: dict[str, Any] = {key: getattr(task, key) for key in keys}
    if task.running:
        return {**found, "status": "running"}
    return {**found, "status": "stopped", "exitstatus": task.exitstatus}


@route("GET", TASKS + "/{upid}/log")
def get_log(call: Call) -> Page:
    upid = read_upid(call)
    task = call.cluster.tasks.get(upid)
    if task is None:
        folder = upid.split(":")[4][-1:]
        text = f"unable to open file - /var/log/pve/tasks/{folder}/{upid}: No such file or directory"
        return Page([{"n": 1, "t": text}], 1)
    need_task(call)
    start, limit = int(call.get("start", 0)), int(call.get("limit", 50))
    end = start + limit if limit else len(task.lines)
    numbered = [{"n": start + number, "t": line} for number, line in enumerate(task.lines[start:end], 1)]
    if not task.lines:
        numbered = [{"n": 1, "t": "no content"}]
    return Page(numbered, len(task.lines) or 1)


@route("DELETE", TASKS + "/{upid}")
def stop_task(call: Call) -> None:
    task = call.cluster.tasks.get(read_upid(call))
    if task is None:
        raise bad_params({"upid": "no such task"})
    if not owns(call, task):
        check(call.cluster, call.user, f"/nodes/{call.node}", "Sys.Modify")
    if task.running:
        call.cluster.interrupted.add(task.upid)
