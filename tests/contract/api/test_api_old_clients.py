"""Clients of the system before this one: all they know are its two documents."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contract.api.callers import PHRASE
from tests.contract.api.old_clients import (
    BearerClient,
    CookieClient,
    make_name,
    wait_for,
    wait_until_gone,
)
from tests.contract.api.world import World
from tests.e2e.stack import PASSWORD, USERNAME, RunningStack

# The endpoints of the quick reference, as it writes them.
QUICK_READS = [
    "/api/auth/user/", "/api/core/health", "/api/core/system/info", "/api/core/settings/resources",
    "/api/core/settings/network", "/api/proxmox/hosts", "/api/proxmox/nodes", "/api/apps/", "/api/apps/?status=running",
    "/api/apps/discover", "/api/catalog/", "/api/catalog/adminer", "/api/catalog/search?q=adminer",
    "/api/catalog/category/databases", "/api/catalog/categories",
]  # fmt: skip
# Those of the API reference.
REFERENCE_READS = ["/api/auth/me", "/api/apps", "/api/catalog", "/api/apps/discover", "/api/health", "/api/system/info",
    "/api/system/nodes", "/api/docs", "/api/redoc"]  # fmt: skip


@pytest.fixture
def page(stack: RunningStack) -> Iterator[CookieClient]:
    client = CookieClient(stack.url)
    yield client
    client.http.close()


@pytest.fixture
def script(stack: RunningStack) -> Iterator[BearerClient]:
    client = BearerClient(stack.url)
    yield client
    client.http.close()


def test_the_page_of_the_quick_reference(page: CookieClient) -> None:
    """Registration with password1 and password2, then everything on cookies, in the quick reference's spelling."""
    name = make_name()
    passwords = {"password1": PHRASE, "password2": PHRASE}
    page.send("POST", "/api/auth/registration/", {"username": name, "email": "", **passwords}, status=201)
    page.send("POST", "/api/auth/logout/")
    assert page.http.get("/api/auth/user/").status_code == 401
    session = page.send("POST", "/api/auth/login/", {"username": name, "password": PHRASE})
    assert session["user"]["username"] == page.send("GET", "/api/auth/user/")["username"] == name
    page.send("POST", "/api/auth/token/refresh/", {})
    app = page.send("POST", "/api/apps/", {"catalog_id": "whoami", "hostname": name}, status=201)
    assert app["status"] == "deploying"
    app = wait_for(page, f"/api/apps/{app['id']}", "running")
    assert app["lxc_id"]
    assert page.send("GET", f"/api/apps/{app['id']}/logs?limit=100")["logs"]
    running = page.send("GET", "/api/apps/?status=running")["apps"]
    assert [each["id"] for each in running] == [app["id"]]
    order = {"backup_type": "snapshot", "compression": "zstd"}
    backup = page.send("POST", f"/api/apps/{app['id']}/backups", order, status=202)
    place = f"/api/apps/{app['id']}/backups/{backup['id']}"
    wait_for(page, place, "completed")
    assert page.send("GET", f"/api/apps/{app['id']}/backups/stats")["completed_backups"] == 1
    page.send("POST", f"{place}/restore", {}, status=202)
    wait_for(page, place, "completed")
    wait_for(page, f"/api/apps/{app['id']}", "running")
    page.send("DELETE", place, status=202)
    wait_until_gone(page, place)
    page.send("POST", f"/api/apps/{app['id']}/action", {"action": "delete"}, status=202)
    wait_until_gone(page, f"/api/apps/{app['id']}")


def test_the_script_of_the_api_reference(script: BearerClient) -> None:
    """Registration with password, then everything with the token, in the API reference's spelling."""
    name = make_name()
    body = {"username": name, "email": "", "password": PHRASE}
    assert script.send("POST", "/api/auth/register", body, status=201)["access"]
    script.sign_in(name, PHRASE)
    assert script.send("GET", "/api/auth/me")["username"] == name
    app = script.send("POST", "/api/apps", {"catalog_id": "whoami", "hostname": name}, status=201)
    status = script.send("GET", f"/api/apps/{app['id']}/status")
    if status["status"] == "deploying":
        assert {"progress", "step_description"} <= set(status)
    assert set(wait_for(script, f"/api/apps/{app['id']}/status", "running")) <= {"id", "status", "message"}
    for action, wanted in (("stop", "stopped"), ("start", "running"), ("restart", "running")):
        answer = script.send("POST", f"/api/apps/{app['id']}/action", {"action": action}, status=202)
        assert answer["success"] is True
        wait_for(script, f"/api/apps/{app['id']}/status", wanted)
    assert script.send("GET", f"/api/apps/{app['id']}/backups") == {"backups": [], "total": 0}
    script.send("DELETE", f"/api/apps/{app['id']}", status=202)
    wait_until_gone(script, f"/api/apps/{app['id']}")


@pytest.mark.parametrize("path", [*QUICK_READS, *REFERENCE_READS])
def test_an_administrator_reads_what_the_documents_name(script: BearerClient, path: str) -> None:
    script.sign_in(USERNAME, PASSWORD)
    assert script.send("GET", path)


def test_an_administrator_writes_what_the_documents_name(script: BearerClient, world: World) -> None:
    script.sign_in(USERNAME, PASSWORD)
    wanted = {
        "default_cpu_cores": 4,
        "default_memory_mb": 4096,
        "default_disk_gb": 50,
        "default_swap_mb": 1024,
    }
    before = script.send("GET", "/api/core/settings/resources")
    try:
        changed = script.send("POST", "/api/core/settings/resources", wanted)
        assert {name: changed[name] for name in wanted} == wanted
    finally:
        script.send("POST", "/api/core/settings/resources", {name: before[name] for name in wanted})
    network = script.send("GET", "/api/core/settings/network")
    network.pop("updated_at")
    script.send("POST", "/api/core/settings/network", network)
    host = script.send("GET", "/api/proxmox/hosts")[0]
    assert script.send("POST", f"/api/proxmox/hosts/{host['id']}/test")["success"] is True
    assert script.send("POST", f"/api/proxmox/hosts/{host['id']}/sync-nodes")["success"] is True
    assert script.send("POST", "/api/catalog/reload")["success"] is True
    stranger = world.make_stranger()
    assert stranger["vmid"] in {each["vmid"] for each in script.send("GET", "/api/apps/discover")}
    body = {"vmid": stranger["vmid"], "node_name": stranger["node"]}
    adopted = script.send("POST", "/api/apps/adopt", body, status=202)
    wait_for(script, f"/api/apps/{adopted['app_id']}", "running")
    script.send("POST", f"/api/apps/{adopted['app_id']}/clone", {"new_hostname": make_name()}, status=202)


def test_users_are_told_what_the_documents_say(script: BearerClient) -> None:
    script.send("GET", "/api/apps", status=401)
    name = make_name()
    script.send("POST", "/api/auth/register", {"username": name, "password": PHRASE}, status=201)
    script.sign_in(name, PHRASE)
    refused = script.send("GET", "/api/apps/discover", status=403)
    assert refused["error"] == "Admin privileges required"
    script.send("GET", "/api/apps/whoami-00000000", status=404)
    taken = {"username": name, "password": PHRASE}
    script.send("POST", "/api/auth/register", taken, status=409)
    script.send("POST", "/api/apps", {"catalog_id": "whoami"}, status=400)
