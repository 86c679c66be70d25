"""What the web interface of the Django system does, step by step, with the requests of its API client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.api.callers import PHRASE
from tests.contract.api.old_clients import CookieClient, Json, make_name, wait_for, wait_until_gone
from tests.contract.api.world import World
from tests.e2e.stack import PASSWORD, USERNAME, RunningStack

ORDER = {"backup_type": "snapshot", "compression": "zstd"}


class Frontend(CookieClient):
    """Its client: cookies, a token of CSRF with each write, the type of JSON also where there is no body."""

    def send(self, method: str, path: str, body: Json | None = None, *, status: int = 200) -> Any:
        self.http.headers["Content-Type"] = "application/json"
        return super().send(method, path, body, status=status)

    def sign_in(self, username: str, password: str) -> None:
        self.http.get("/api/auth/user/")  # the page asks first, which sets the cookie csrftoken
        assert self.http.cookies.get("csrftoken")
        self.send("POST", "/api/auth/login/", {"username": username, "password": password})


@pytest.fixture
def frontend(stack: RunningStack) -> Iterator[Frontend]:
    client = Frontend(stack.url)
    yield client
    client.http.close()


def deploy(frontend: Frontend) -> Json:
    """Deploy as its dialog does, which sends the node's name and ports."""
    hosts = frontend.send("GET", "/api/proxmox/hosts")
    nodes = frontend.send("GET", f"/api/proxmox/nodes?host_id={hosts[0]['id']}")
    node = next(each for each in nodes if each["status"] == "online")
    body = {
        "catalog_id": "adminer",
        "hostname": make_name(),
        "node": node["name"],
        "config": {},
        "ports": {"80": 8080},
    }
    app = frontend.send("POST", "/api/apps/", body, status=201)
    assert app["status"] == "deploying"
    return wait_for(frontend, f"/api/apps/{app['id']}", "running")


def list_apps(frontend: Frontend) -> dict[str, Json]:
    return {each["id"]: each for each in frontend.send("GET", "/api/apps/")["apps"]}


def test_a_user_registers_and_reads_the_store(frontend: Frontend) -> None:
    name = make_name()
    frontend.http.get("/api/auth/user/")
    body = {"username": name, "email": f"{name}@example.org", "password": PHRASE, "password2": PHRASE}
    frontend.send("POST", "/api/auth/registration/", body, status=201)
    frontend.send("POST", "/api/auth/logout/")
    wrong = frontend.send(
        "POST", "/api/auth/login/", {"username": name, "password": "wrong-wrong-1"}, status=401
    )
    assert wrong["error"], "the page shows `detail` or `error`"
    frontend.sign_in(name, PHRASE)
    assert frontend.send("GET", "/api/auth/user/")["username"] == name, "the session survives a reload"
    store = frontend.send("GET", "/api/catalog/")["applications"]
    assert len(store) >= 100
    assert all(each["icon"] for each in store)
    assert frontend.send("GET", "/api/catalog/search?q=")["total"] == len(store), "a cleared search shows all"
    assert "vaultwarden" in {
        each["id"] for each in frontend.send("GET", "/api/catalog/search?q=warden")["applications"]
    }
    host = frontend.send("GET", "/api/proxmox/hosts")[0]
    frontend.send(
        "POST", f"/api/proxmox/hosts/{host['id']}/sync-nodes", status=403
    )  # which the dialog ignores
    refused = frontend.send("POST", "/api/core/settings/resources", {"default_cpu_cores": 2}, status=403)
    assert refused["error"]
    frontend.send("POST", "/api/auth/logout/")
    frontend.send("GET", "/api/auth/user/", status=401)


def test_a_user_deploys_and_manages_an_app(frontend: Frontend) -> None:
    name = make_name()
    frontend.http.get("/api/auth/user/")
    body = {"username": name, "email": "", "password": PHRASE, "password2": PHRASE}
    frontend.send("POST", "/api/auth/registration/", body, status=201)
    app = deploy(frontend)
    place = f"/api/apps/{app['id']}"
    assert len(frontend.send("GET", f"{place}/logs?tail=50")["logs"]) >= 9
    card = list_apps(frontend)[app["id"]]
    assert card["status"] == "running"
    for gauge in ("cpu_usage", "memory_used", "memory_total", "disk_used", "disk_total"):
        assert gauge in card, f"the card has no {gauge}"
    assert card["url"].startswith("http")
    for action, wanted in (("stop", "stopped"), ("start", "running"), ("restart", "running")):
        frontend.send("POST", f"{place}/action", {"action": action}, status=202)
        wait_for(frontend, place, wanted)
    clone = frontend.send("POST", f"{place}/clone", {"new_hostname": make_name()}, status=202)
    assert list_apps(frontend)[clone["app_id"]]["status"] in {"cloning", "running"}
    wait_for(frontend, f"/api/apps/{clone['app_id']}", "running")
    back_up_and_restore(frontend, place)
    for app_id in (app["id"], clone["app_id"]):
        frontend.send("POST", f"/api/apps/{app_id}/action", {"action": "delete"}, status=202)
        wait_until_gone(frontend, f"/api/apps/{app_id}")


def back_up_and_restore(frontend: Frontend, place: str) -> None:
    made = frontend.send("POST", f"{place}/backups", ORDER, status=202)
    backup = f"{place}/backups/{made['id']}"
    wait_for(frontend, backup, "completed")
    assert [each["id"] for each in frontend.send("GET", f"{place}/backups")["backups"]] == [made["id"]]
    assert frontend.send("GET", f"{place}/backups/stats")["total_backups"] == 1
    wait_for(frontend, place, "running")
    frontend.send("POST", f"{backup}/restore", status=202)
    wait_for(frontend, backup, "completed")
    wait_for(frontend, place, "running")
    frontend.send("DELETE", backup, status=202)
    wait_until_gone(frontend, backup)


def test_an_administrator_changes_settings(frontend: Frontend) -> None:
    frontend.sign_in(USERNAME, PASSWORD)
    assert frontend.send("POST", "/api/catalog/reload")["total"] >= 100
    resources = frontend.send("GET", "/api/core/settings/resources")
    saved = {name: value for name, value in resources.items() if name != "updated_at"}
    assert (
        frontend.send("POST", "/api/core/settings/resources", saved)["default_cpu_cores"]
        == saved["default_cpu_cores"]
    )
    network = frontend.send("GET", "/api/core/settings/network")
    saved = {name: network[name] for name in network if name.startswith("default_")}
    try:
        assert "default_dns_secondary" in frontend.send(
            "POST", "/api/core/settings/network", saved | {"default_dns_secondary": "1.1.1.1"}
        )
        removed = frontend.send("POST", "/api/core/settings/network", saved | {"default_dns_secondary": None})
        assert not removed.get("default_dns_secondary"), "null removes the second server"
    finally:
        frontend.send("POST", "/api/core/settings/network", {"default_dns_secondary": None} | saved)
    host = frontend.send("GET", "/api/proxmox/hosts")[0]
    edited = frontend.send(
        "PUT", f"/api/proxmox/hosts/{host['id']}", {"name": host["name"], "is_active": True}
    )
    assert edited["name"] == host["name"]
    assert frontend.send("POST", f"/api/proxmox/hosts/{host['id']}/test")["success"] is True
    assert frontend.send("GET", "/api/core/system/info")["version"]


def test_an_administrator_adopts_containers(frontend: Frontend, world: World) -> None:
    strangers = [world.make_stranger() for _ in range(3)]
    frontend.sign_in(USERNAME, PASSWORD)
    found = {each["vmid"]: each for each in frontend.send("GET", "/api/apps/discover")}
    adopted = []
    for stranger in strangers:
        body = {
            "vmid": stranger["vmid"],
            "node_name": found[stranger["vmid"]]["node"],
            "suggested_type": "custom",
        }
        adopted.append(frontend.send("POST", "/api/apps/adopt", body, status=202)["app_id"])
    for app_id in adopted:
        wait_for(frontend, f"/api/apps/{app_id}", "running")
    page = frontend.send("GET", "/api/apps/?per_page=100")
    assert page["total"] >= 3, "an administrator sees the apps of all"
    for app_id in adopted:
        frontend.send("POST", f"/api/apps/{app_id}/action", {"action": "delete"}, status=202)
        wait_until_gone(frontend, f"/api/apps/{app_id}")
    frontend.send("POST", "/api/auth/logout/")
