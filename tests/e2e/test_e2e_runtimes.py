"""The same life of an app by every way it can run: compose by SSH, compose by the API's console, and as an OCI image."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.local.api import Api, DemoError, read_page, write_page
from tests.e2e.simulators import Simulator, list_rejected, read_fingerprint, register, type_curl
from tests.e2e.stack import RunningStack
from tests.pages import read_commands
from tests.unit.pvesim.sim import Running, start

LIMIT_S = 300.0
PAGE = "/_data/page.html"
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A host of two nodes before OCI images, which is reached with an API token alone."""
    with start(tmp_path_factory.mktemp("older"), "--nodes", "2", "--version", "8.4.1") as running:
        yield running
        assert list_rejected(running.client.ready) == []


@pytest.fixture(scope="module")
def host_id(stack: RunningStack, older: Running) -> int:
    return register(stack, older, f"older-{uuid.uuid4().hex[:6]}")


def ignore(_: dict[str, Any]) -> None:
    """Nobody watches."""


def deploy(api: Api, **body: Any) -> dict[str, Any]:
    given = {"catalog_id": "nginx", "hostname": f"way-{uuid.uuid4().hex[:8]}", **body}
    app_id = api.send("POST", "/apps", given, expect=201)["id"]
    return wait(api, app_id)


def deploy_as_documented(stack: RunningStack, api: Api, host_id: int) -> dict[str, Any]:
    [command] = read_commands("docs/proxmox.md", by=__file__)
    given = f'"hostname": "way-{uuid.uuid4().hex[:8]}", "host_id": {host_id}'
    command = command.replace("uptime-kuma", "nginx").replace('"hostname": "status"', given)
    return wait(api, type_curl(stack, api, command)["id"])


def wait(api: Api, app_id: str, wanted: str = "running") -> dict[str, Any]:
    return api.wait_for_app(app_id, wanted=wanted, timeout=LIMIT_S, watch=ignore)


def live(api: Api, app: dict[str, Any]) -> list[dict[str, Any]]:
    """Back up, change, restore in place and beside, clone, restart; returns the apps that came of it."""
    note = app["url"].rstrip("/") + PAGE
    write_page(note, "before")
    backup = api.send("POST", f"/apps/{app['id']}/backups", {}, expect=202)["id"]
    api.wait_for_backup(app["id"], backup, timeout=LIMIT_S)
    wait(api, app["id"])
    write_page(note, "after")
    restore = f"/apps/{app['id']}/backups/{backup}/restore"
    api.send("POST", restore, {}, expect=202)
    app = wait(api, app["id"])
    assert read_page(app["url"].rstrip("/") + PAGE) == "before"
    write_page(app["url"].rstrip("/") + PAGE, "later")

    body = {"new_hostname": f"way-{uuid.uuid4().hex[:8]}"}
    beside = wait(api, api.send("POST", restore, body, expect=202)["application_id"])
    assert read_page(beside["url"].rstrip("/") + PAGE) == "before"
    body = {"new_hostname": f"way-{uuid.uuid4().hex[:8]}"}
    clone = wait(api, api.send("POST", f"/apps/{app['id']}/clone", body, expect=202)["app_id"])
    assert read_page(clone["url"].rstrip("/") + PAGE) == "later"

    api.send("POST", f"/apps/{app['id']}/action", {"action": "restart"}, expect=202)
    app = wait(api, app["id"])
    assert read_page(app["url"].rstrip("/") + PAGE) == "later"
    assert len({one["lxc_id"] for one in (app, beside, clone)}) == 3
    assert {one["runtime"] for one in (app, beside, clone)} == {app["runtime"]}
    return [app, beside, clone]


def delete(api: Api, apps: list[dict[str, Any]]) -> None:
    for app in apps:
        api.send("DELETE", f"/apps/{app['id']}", expect=202)
    for app in apps:
        wait(api, app["id"], "gone")


def list_lines(api: Api, app: dict[str, Any]) -> list[str]:
    return [line["message"] for line in api.send("GET", f"/apps/{app['id']}/logs?limit=200")["logs"]]


@pytest.mark.parametrize("runtime", ["compose", "oci"])
def test_an_app_lives_by_ssh_and_as_an_image_and_moves(stack: RunningStack, runtime: str) -> None:
    api, simulator = stack.sign_in(), Simulator(stack.simulator)
    before, began = simulator.list_vmids(), time.time()
    app = deploy(api, config={"runtime": runtime}, node="pve1")
    assert app["runtime"] == runtime
    commands = [one for one in simulator.list_commands(str(app["lxc_id"])) if one["at"] > began]
    assert bool(commands) == (runtime == "compose")
    apps = live(api, app)
    api.send("POST", f"/apps/{app['id']}/migrate", {"target_node": "pve2"}, expect=202)
    moved = wait(api, app["id"])
    assert moved["node"] == "pve2"
    assert read_page(moved["url"].rstrip("/") + PAGE) == "later"
    delete(api, apps)
    assert simulator.list_vmids() <= before


def test_an_app_lives_by_the_console_with_the_least_privileges(
    stack: RunningStack, older: Running, host_id: int
) -> None:
    api, simulator = stack.sign_in(), Simulator(older.client.ready)
    before = simulator.list_vmids()
    app = deploy_as_documented(stack, api, host_id)
    apps = live(api, app)
    sent = simulator.list_requests()
    assert {one["user"] for one in sent if one["path"].endswith("/termproxy")} == {"proximity@pve!platform"}
    assert [one for one in simulator.list_commands() if str(one["where"]).startswith("node/")] == []
    refused = [one for one in sent if one["status"] == 403 and one["path"] != "/cluster/status"]
    assert refused == []
    api.send("POST", f"/apps/{app['id']}/migrate", {"target_node": "pve2"}, expect=202)
    with pytest.raises(DemoError, match=r"VM\.Migrate"):
        wait(api, app["id"], "stopped")
    delete(api, apps)
    assert simulator.list_vmids() == before


def test_an_image_that_the_host_cannot_run_falls_back_to_compose_and_says_why(
    stack: RunningStack, host_id: int
) -> None:
    api = stack.sign_in()
    app = deploy(api, host_id=host_id, config={"runtime": "oci"})
    assert app["runtime"] == "compose"
    assert any("OCI images need Proxmox VE 9.1" in line for line in list_lines(api, app))
    assert "nginx" in read_page(app["url"]).lower()
    delete(api, [app])


def test_a_clone_on_storage_without_snapshots_stops_the_source_and_starts_it_again(
    stack: RunningStack,
) -> None:
    api = stack.sign_in()
    app = deploy(api, config={"storage": "local", "disk_size": 4})
    write_page(app["url"].rstrip("/") + PAGE, "mine")
    body = {"new_hostname": f"way-{uuid.uuid4().hex[:8]}"}
    clone = wait(api, api.send("POST", f"/apps/{app['id']}/clone", body, expect=202)["app_id"])
    assert read_page(clone["url"].rstrip("/") + PAGE) == "mine"
    assert read_page(app["url"].rstrip("/") + PAGE) == "mine"
    lines = list_lines(api, clone)
    assert any("The source is stopped while it is copied" in line for line in lines)
    assert "The source was started again" in lines
    delete(api, [app, clone])


def test_the_fingerprint_that_a_node_shows_is_the_one_that_is_pinned(stack: RunningStack) -> None:
    [certificate] = (stack.state / "pvesim").rglob("pveproxy-ssl.pem")
    assert read_fingerprint(certificate) == stack.simulator["fingerprint"]
