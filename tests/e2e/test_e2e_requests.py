"""What a deployment costs Proxmox: requests of its API and processes started on its nodes, counted at the simulator."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.local.api import Api
from tests.e2e.simulators import Simulator
from tests.e2e.stack import RunningStack
from tests.unit.pvesim.sim import Running, start

MOST_REQUESTS = 60
MOST_PROCESSES = 2
SLOW_TASKS_S = "1.5"  # so that the following of tasks is counted too: a real server takes as long
LIMIT_S = 300.0
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A host whose tasks take as long as those of a real one."""
    with start(tmp_path_factory.mktemp("slow"), "--task-seconds", SLOW_TASKS_S) as running:
        yield running


def register(api: Api, sim: Running, way: str) -> int:
    """Register the simulated server with root's password, which leads in by SSH, or with a token."""
    ready = sim.client.ready
    body = {key: ready[key] for key in ("host", "port", "ssh_port", "fingerprint")}
    body |= {"name": f"cost-{uuid.uuid4().hex[:6]}", "user": "root@pam"}
    if way == "ssh":
        body["password"] = ready["password"]
    else:
        body |= {"token_id": ready["token_id"], "token_secret": ready["token_secret"]}
    host_id = int(api.send("POST", "/proxmox/hosts", body, expect=201)["id"])
    answer = api.send("POST", f"/proxmox/hosts/{host_id}/test", {})
    assert answer["exec_mode"] == way, answer
    return host_id


def deploy(api: Api, host_id: int, runtime: str) -> dict[str, Any]:
    body = {"catalog_id": "nginx", "hostname": f"cost-{uuid.uuid4().hex[:8]}", "host_id": host_id}
    app_id = api.send("POST", "/apps", body | {"config": {"runtime": runtime}}, expect=201)["id"]
    return api.wait_for_app(app_id, wanted="running", timeout=LIMIT_S, watch=lambda _: None)


def describe(requests: list[dict[str, Any]]) -> str:
    """The requests by kind, those of most first, for a failure's message."""
    kinds = Counter(f"{one['method']} {_shorten(one['path'])}" for one in requests)
    return "\n".join(f"{count:4} {kind}" for kind, count in kinds.most_common())


def _shorten(path: str) -> str:
    return "/".join("*" if part.startswith("UPID") or part.isdigit() else part for part in path.split("/"))


@pytest.mark.parametrize(
    ("way", "runtime"),
    [("ssh", "compose"), ("console", "compose"), ("ssh", "oci")],
    ids=["ssh", "console", "oci"],
)
def test_a_deployment_needs_few_requests_and_processes(
    stack: RunningStack, sim: Running, way: str, runtime: str
) -> None:
    api, simulator = stack.sign_in(), Simulator(sim.client.ready)
    host_id = register(api, sim, way)
    first = deploy(api, host_id, runtime)  # what is learned of a host once is no cost of each deployment
    api.send("DELETE", f"/apps/{first['id']}", expect=202)
    api.wait_for_app(first["id"], wanted="gone", timeout=LIMIT_S, watch=lambda _: None)
    sim.client.control("DELETE", "/requests")
    began = time.time()
    app = deploy(api, host_id, runtime)
    requests = simulator.list_requests()
    assert app["runtime"] == runtime
    assert len(requests) <= MOST_REQUESTS, describe(requests)
    consoles = [one for one in requests if one["path"].endswith("/termproxy")]
    assert len(consoles) == (way == "console")
    commands = [one for one in simulator.list_commands(str(app["lxc_id"])) if one["at"] > began]
    if way == "console":  # typed lines start nothing; a command is a shell around the one that was asked for
        commands = [one for one in commands if one["argv"][2:] and one["argv"][2].startswith("sh -c ")]
    assert len(commands) <= (MOST_PROCESSES if runtime == "compose" else 0), commands
    api.send("DELETE", f"/apps/{app['id']}", expect=202)
    api.wait_for_app(app["id"], wanted="gone", timeout=LIMIT_S, watch=lambda _: None)
    api.send("DELETE", f"/proxmox/hosts/{host_id}", expect=204)
