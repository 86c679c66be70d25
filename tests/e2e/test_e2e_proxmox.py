"""What happens in Proxmox itself: nothing leaks, nothing of others is touched, failures are told."""

from __future__ import annotations

import time
import uuid
from typing import Any

import requests

from deploy.local.api import DemoError
from tests.e2e.simulators import Simulator
from tests.e2e.stack import RunningStack

LIMIT_S = 300.0


def ignore(_: dict[str, Any]) -> None:
    """Nobody watches."""


def make_body() -> dict[str, Any]:
    return {"catalog_id": "adminer", "hostname": f"pve-{uuid.uuid4().hex[:8]}"}


def test_a_deleted_app_leaves_no_container_and_strangers_stay(stack: RunningStack) -> None:
    simulator, api = Simulator(stack.simulator), stack.sign_in()
    before = simulator.list_vmids()
    app_id = api.send("POST", "/apps", make_body(), expect=201)["id"]
    app = api.wait_for_app(app_id, wanted="running", timeout=LIMIT_S, watch=ignore)
    assert simulator.list_vmids() == before | {app["lxc_id"]}
    api.send("DELETE", f"/apps/{app_id}", expect=202)
    api.wait_for_app(app_id, wanted="gone", timeout=LIMIT_S, watch=ignore)
    assert simulator.list_vmids() == before


def test_a_deployment_that_cannot_succeed_says_why_and_leaves_nothing(stack: RunningStack) -> None:
    simulator, api = Simulator(stack.simulator), stack.sign_in()
    before = simulator.list_vmids()
    simulator.add_fault({"kind": "task_fail", "match": {"type": "vzcreate"}, "reason": "no space left"})
    try:
        app_id = api.send("POST", "/apps", make_body(), expect=201)["id"]
        told = ""
        try:
            api.wait_for_app(app_id, wanted="running", timeout=LIMIT_S, watch=ignore)
        except DemoError as error:
            told = str(error)
    finally:
        simulator.clear_faults()
    assert "no space left" in told
    assert api.send("GET", f"/apps/{app_id}")["status"] == "error"
    assert simulator.list_vmids() == before
    api.send("DELETE", f"/apps/{app_id}", expect=202)
    api.wait_for_app(app_id, wanted="gone", timeout=LIMIT_S, watch=ignore)


def test_a_lost_answer_of_proxmox_makes_no_second_container(stack: RunningStack) -> None:
    simulator, api = Simulator(stack.simulator), stack.sign_in()
    before = simulator.list_vmids()
    path = {"method": "POST", "path": "/lxc$"}
    simulator.add_fault({"kind": "lost_reply", "match": path, "times": 1})
    try:
        app_id = api.send("POST", "/apps", make_body(), expect=201)["id"]
        app = api.wait_for_app(app_id, wanted="running", timeout=LIMIT_S, watch=ignore)
    finally:
        simulator.clear_faults()
    assert simulator.list_vmids() == before | {app["lxc_id"]}


def test_what_passes_in_proxmox_is_lived_through(stack: RunningStack) -> None:
    simulator, api = Simulator(stack.simulator), stack.sign_in()
    before = simulator.list_vmids()
    for fault in (
        {"kind": "reset", "match": {"method": "POST", "path": "/lxc$"}, "times": 1},
        {"kind": "ticket_expired", "match": {"path": "/status/start$"}, "times": 1},
        {"kind": "lock_timeout", "match": {"type": "vzstart"}, "times": 1},
        {"kind": "task_warn", "match": {"type": "vzcreate"}, "times": 1},
        {"kind": "task_hang", "match": {"type": "vzshutdown"}, "times": 1, "seconds": 1.0},
    ):
        simulator.add_fault(fault)
    try:
        app_id = api.send("POST", "/apps", make_body(), expect=201)["id"]
        app = api.wait_for_app(app_id, wanted="running", timeout=LIMIT_S, watch=ignore)
        down = {"kind": "node_down", "match": {"node": app["node"], "path": "/shutdown$"}, "times": 2}
        simulator.add_fault(down)
        api.send("POST", f"/apps/{app_id}/action", {"action": "stop"}, expect=202)
        api.wait_for_app(app_id, wanted="stopped", timeout=LIMIT_S, watch=ignore)
        struck = simulator.count_strikes()
    finally:
        simulator.clear_faults()
    assert struck == {
        "reset": 1,
        "ticket_expired": 1,
        "lock_timeout": 1,
        "task_warn": 1,
        "task_hang": 1,
        "node_down": 2,
    }
    assert simulator.list_vmids() == before | {app["lxc_id"]}


def test_events_tell_a_deployment_as_it_happens(stack: RunningStack) -> None:
    api = stack.sign_in()
    credentials = {"username": "admin", "password": "first-of-many-9"}
    token = requests.post(f"{stack.url}/api/auth/login", json=credentials, timeout=10).json()["access"]
    app_id = api.send("POST", "/apps", make_body(), expect=201)["id"]
    headers = {"Authorization": f"Bearer {token}"}
    seen: list[str] = []
    deadline = time.monotonic() + LIMIT_S
    with requests.get(
        f"{stack.url}/api/apps/{app_id}/events", headers=headers, stream=True, timeout=30
    ) as events:
        assert events.status_code == 200
        assert events.headers["content-type"].startswith("text/event-stream")
        for line in events.iter_lines(decode_unicode=True):
            seen.append(line)
            if ('"running"' in line and line.startswith("data:")) or time.monotonic() > deadline:
                break
    assert any(line.startswith("id:") for line in seen)
    assert any("running" in line for line in seen)
