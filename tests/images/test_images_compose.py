"""deploy/compose.yaml in a real Docker: upgrade, the main job, lost containers, a restore, a wrong database.

The fixtures start it by the commands of docs/deploying.md.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest
import requests

from deploy.local.api import SignInError
from services.registry import PROCESSES, SERVICES
from tests.images.daemon import Composition, DockerError
from tests.images.jobs import LIMIT_S, begin_app, delete_app, deploy_app, ignore
from tests.pages import read_commands

pytestmark = pytest.mark.timeout(2400)
_SCRAPED_S = 90.0  # an interval of Prometheus is 15 s


def test_an_app_of_the_version_before_is_there_and_obeys(
    running: Composition, app_before: dict[str, Any]
) -> None:
    api, app_id = running.sign_in(), app_before["id"]
    assert api.send("GET", f"/apps/{app_id}")["status"] == "running"
    for action, status in (("stop", "stopped"), ("start", "running")):
        api.send("POST", f"/apps/{app_id}/action", {"action": action}, expect=202)
        api.wait_for_app(app_id, wanted=status, timeout=LIMIT_S, watch=ignore)


def test_every_migration_ended_well(running: Composition) -> None:
    for service in SERVICES:
        assert running.inspect(f"{service}-migrate")["State"]["ExitCode"] == 0


def test_the_first_administrator_signs_in_over_tls(running: Composition) -> None:
    body = {"username": "admin", "password": running.read_secret("admin_password")}
    answer = requests.post(
        f"https://localhost:{running.port}/api/auth/login",
        json=body,
        verify=str(running.checkout / "deploy" / "secrets" / "gateway.crt"),
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["user"]["is_staff"] is True


@pytest.mark.parametrize("path", ["/", "/api/docs", "/api/openapi.json"])
def test_pages_are_served(path: str, running: Composition) -> None:
    assert requests.get(running.url + path, timeout=30).status_code == 200


def test_the_main_job(running: Composition) -> None:
    app, api = deploy_app(running), running.sign_in()
    backup = api.send("POST", f"/apps/{app['id']}/backups", {}, expect=202)["id"]
    api.wait_for_backup(app["id"], backup, timeout=LIMIT_S)
    api.wait_for_app(app["id"], wanted="running", timeout=LIMIT_S, watch=ignore)
    api.send("POST", f"/apps/{app['id']}/backups/{backup}/restore", {}, expect=202)
    api.wait_for_app(app["id"], wanted="running", timeout=LIMIT_S, watch=ignore)
    delete_app(api, app["id"])


def test_prometheus_sees_every_process(running: Composition) -> None:
    deadline = time.monotonic() + _SCRAPED_S
    up: set[str] = set()
    while up < {*PROCESSES, "gateway"}:
        assert time.monotonic() < deadline, f"only {sorted(up)}"
        asked = {"query": 'up{job="proximity"} == 1'}
        answer = requests.get(
            f"http://127.0.0.1:{running.metrics_port}/api/v1/query", params=asked, timeout=10
        )
        up = {each["metric"]["process"] for each in answer.json()["data"]["result"]}
        time.sleep(1)


def test_every_container_is_restrained(running: Composition) -> None:
    for name in (*PROCESSES, "gateway", "pvesim"):
        container = running.inspect(name)
        assert container["Config"]["User"] == "10001:10001", name
        assert container["HostConfig"]["ReadonlyRootfs"] is True, name
        assert container["HostConfig"]["CapDrop"] == ["ALL"], name
        assert container["State"]["OOMKilled"] is False, name


def test_a_worker_that_is_killed_in_the_middle_loses_nothing(running: Composition) -> None:
    api = running.sign_in()
    apps = [begin_app(api) for _ in range(3)]
    running.kill("apps-worker")
    for app_id in apps:
        api.wait_for_app(app_id, wanted="running", timeout=LIMIT_S, watch=ignore)
    for app_id in apps:
        delete_app(api, app_id)
    assert running.inspect("apps-worker")["RestartCount"] >= 1


# Not inventory: the simulator is in its network, which ends with the container; a real Proxmox VE is elsewhere.
@pytest.mark.parametrize("lost", ["gateway", "auth", "apps", "catalog-worker", "nats", "postgres"])
def test_a_container_that_is_lost_comes_back(lost: str, running: Composition) -> None:
    running.kill(lost)
    running.wait_until_healthy()
    assert running.inspect(lost)["State"]["Running"] is True
    delete_app(running.sign_in(), deploy_app(running)["id"])


def test_a_backup_of_the_platform_brings_back_what_was_deleted(running: Composition) -> None:
    saved, restored = read_commands("docs/recovery.md", by=__file__)
    api, username = running.sign_in(), f"user-{uuid.uuid4().hex[:8]}"
    app = deploy_app(running)
    running.type_commands(saved, profiles="simulator")
    body = {"username": username, "email": f"{username}@example.org", "password": f"Zq8-{uuid.uuid4().hex}"}
    api.send("POST", "/auth/users", body, expect=201)
    running.type_commands(restored, profiles="simulator")
    running.run("restart", "pvesim")  # it was in the network of inventory's container before
    running.wait_until_healthy()
    api = running.sign_in()
    assert api.send("GET", f"/apps/{app['id']}")["status"] == "running"
    users = json.dumps(api.send("GET", "/auth/users"))
    assert username not in users
    delete_app(api, app["id"])
    delete_app(api, deploy_app(running)["id"])


def test_a_database_in_another_encoding_is_refused_in_a_sentence(running: Composition) -> None:
    create = "CREATE DATABASE wrong ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    server = running.read_secret("database_url").replace("@postgres:", "@localhost:")
    running.run("exec", "-T", "postgres", "psql", server, "-c", create)
    url = running.read_secret("database_url").rpartition("/")[0] + "/wrong"
    instead = ("-e", "DATABASE_URL_FILE=", "-e", f"DATABASE_URL={url}")
    with pytest.raises(DockerError) as raised:
        running.run("run", "--rm", "--no-deps", *instead, "auth-migrate")
    assert "its encoding is SQL_ASCII, not UTF8" in str(raised.value)
    assert "Traceback" not in str(raised.value)


def test_a_wrong_password_is_refused(running: Composition) -> None:
    with pytest.raises(SignInError, match="Wrong username or password"):
        running.sign_in().sign_in("admin", "wrong")
