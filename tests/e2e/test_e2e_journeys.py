"""What people do with the platform, through the real gateway, services, NATS and simulated Proxmox."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest
import requests

from deploy.local.api import Api, read_page
from tests.e2e.stack import RunningStack

LIMIT_S = 300.0


def ignore(_: dict[str, Any]) -> None:
    """Nobody watches."""


def deploy(api: Api, hostname: str) -> dict[str, Any]:
    body = {"catalog_id": "adminer", "hostname": hostname}
    app_id = api.send("POST", "/apps", body, expect=201)["id"]
    return api.wait_for_app(app_id, wanted="running", timeout=LIMIT_S, watch=ignore)


def make_hostname() -> str:
    return f"web-{uuid.uuid4().hex[:8]}"


def test_health_says_that_every_part_is_well(stack: RunningStack) -> None:
    health = requests.get(f"{stack.url}/api/health", timeout=10).json()
    assert health["status"] == "healthy"
    assert health["database"] == health["cache"] == health["messaging"] == "connected"
    assert set(health["services"]) >= {"auth", "apps", "backups", "catalog"}


def test_https_answers_on_the_same_port(stack: RunningStack) -> None:
    certificate = stack.state / "keys" / "gateway.crt"
    answer = requests.get(f"https://localhost:{stack.port}/api/health", verify=str(certificate), timeout=10)
    assert answer.json()["status"] == "healthy"


def test_nobody_gets_in_without_credentials(stack: RunningStack) -> None:
    for path in ("/apps", "/proxmox/hosts", "/auth/user", "/catalog"):
        answer = requests.get(f"{stack.url}/api{path}", timeout=10)
        assert answer.status_code == 401
        assert set(answer.json()) >= {"error", "code"}


def test_what_others_own_does_not_exist_for_a_user(stack: RunningStack) -> None:
    admin = stack.sign_in()
    name = f"user{uuid.uuid4().hex[:8]}"
    registration = {"username": name, "password": "a-Long-phrase-77", "email": f"{name}@example.org"}
    answer = requests.post(f"{stack.url}/api/auth/register", json=registration, timeout=10)
    assert answer.status_code == 201
    assert answer.json()["user"]["is_staff"] is False
    headers = {"Authorization": f"Bearer {answer.json()['access']}"}
    app = deploy(admin, make_hostname())
    for path in (f"/apps/{app['id']}", f"/apps/{app['id']}/status", f"/apps/{app['id']}/backups"):
        assert requests.get(f"{stack.url}/api{path}", headers=headers, timeout=10).status_code == 404
    assert requests.get(f"{stack.url}/api/apps", headers=headers, timeout=10).json()["total"] == 0
    assert requests.get(f"{stack.url}/api/apps/discover", headers=headers, timeout=10).status_code == 403


def test_an_app_stops_and_starts_and_answers_again(stack: RunningStack) -> None:
    api = stack.sign_in()
    app = deploy(api, make_hostname())
    assert "adminer" in read_page(app["url"]).lower()
    api.send("POST", f"/apps/{app['id']}/action", {"action": "stop"}, expect=202)
    api.wait_for_app(app["id"], wanted="stopped", timeout=LIMIT_S, watch=ignore)
    api.send("POST", f"/apps/{app['id']}/action", {"action": "start"}, expect=202)
    app = api.wait_for_app(app["id"], wanted="running", timeout=LIMIT_S, watch=ignore)
    assert "adminer" in read_page(app["url"]).lower()
    assert api.send("GET", f"/apps/{app['id']}/logs")["total"] > 0


def test_a_hostname_is_given_once(stack: RunningStack) -> None:
    api = stack.sign_in()
    app = deploy(api, make_hostname())
    api.send("POST", "/apps", {"catalog_id": "adminer", "hostname": app["hostname"]}, expect=409)


def test_the_same_idempotency_key_deploys_once(stack: RunningStack) -> None:
    api = stack.sign_in()
    token = requests.post(
        f"{stack.url}/api/auth/login",
        json={"username": "admin", "password": "first-of-many-9"},
        timeout=10,
    ).json()["access"]
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": uuid.uuid4().hex}
    body = {"catalog_id": "adminer", "hostname": make_hostname()}
    first, second = (
        requests.post(f"{stack.url}/api/apps", json=body, headers=headers, timeout=30) for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] == second.json()["id"]
    api.wait_for_app(first.json()["id"], wanted="running", timeout=LIMIT_S, watch=ignore)


@pytest.mark.timeout(900)
def test_a_deployment_survives_the_death_of_its_worker(stack: RunningStack) -> None:
    api = stack.sign_in()
    body = {"catalog_id": "adminer", "hostname": make_hostname()}
    app_id = api.send("POST", "/apps", body, expect=201)["id"]
    deadline = time.monotonic() + LIMIT_S
    while api.send("GET", f"/apps/{app_id}/status").get("step_index", 0) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    stack.kill_process("apps", "work")
    app = api.wait_for_app(app_id, wanted="running", timeout=LIMIT_S, watch=ignore)
    assert "adminer" in read_page(app["url"]).lower()
