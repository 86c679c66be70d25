"""The same thing asked twice, at once, and after a crash is done once; what many ask at once is never given twice."""

from __future__ import annotations

import signal
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import httpx
import pytest

from tests.contract.api.answers import wait_for_status
from tests.contract.api.callers import PHRASE, read_object
from tests.contract.api.world import World
from tests.e2e.stack import RunningStack

Json = dict[str, Any]
LIMIT_S = 300.0


def send_apart(stack: RunningStack, access: str, body: Json, *, key: str = "") -> httpx.Response | None:
    """Deploy on a connection of its own; None when it broke before the answer."""
    headers = {"Authorization": f"Bearer {access}"} | ({"Idempotency-Key": key} if key else {})
    try:
        return httpx.post(f"{stack.url}/api/apps", json=body, headers=headers, timeout=60)
    except httpx.TransportError:
        return None


def run_together(tasks: Sequence[Callable[[], Any]]) -> list[Any]:
    with ThreadPoolExecutor(len(tasks)) as pool:
        return [future.result(timeout=LIMIT_S) for future in [pool.submit(task) for task in tasks]]


def count_apps(world: World, hostname: str) -> int:
    return int(world.ask(f"/api/apps?search={hostname}")["total"])


def test_the_same_request_at_once_makes_one_app(world: World, stack: RunningStack) -> None:
    access, key = world.find_access("alice"), uuid.uuid4().hex
    body = {"catalog_id": "whoami", "hostname": world.make_hostname()}
    answers = run_together([lambda: send_apart(stack, access, body, key=key)] * 6)
    assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert count_apps(world, body["hostname"]) == 1
    world.settle(answers[0].json()["id"], wanted="running")


def test_a_key_is_the_callers_own(world: World) -> None:
    key = {"Idempotency-Key": uuid.uuid4().hex}
    first = world.send("POST", "/api/auth/tokens", caller="alice", json={"name": "a"}, headers=key)
    other = world.send("POST", "/api/auth/tokens", caller="bob", json={"name": "b"}, headers=key)
    assert read_object(first, 201)["name"] == "a"
    assert read_object(other, 201)["name"] == "b"


def test_a_key_that_is_too_long_is_refused(world: World) -> None:
    key = {"Idempotency-Key": "k" * 256}
    answer = world.send("POST", "/api/auth/tokens", caller="alice", json={"name": "c"}, headers=key)
    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["error"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("delay", [0.0, 0.02, 0.06])
def test_a_request_repeated_after_a_crash_makes_one_app(
    world: World, stack: RunningStack, delay: float
) -> None:
    """The service dies somewhere in the request; the client asks again with its key until it has an answer."""
    access, key = world.find_access("alice"), uuid.uuid4().hex
    body = {"catalog_id": "whoami", "hostname": world.make_hostname()}
    process = stack.find_process("apps")

    def crash() -> None:
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)

    run_together([lambda: send_apart(stack, access, body, key=key), crash])
    deadline = time.monotonic() + LIMIT_S
    answer = send_apart(stack, access, body, key=key)
    while answer is None or answer.status_code != 201:
        refused = "" if answer is None else answer.text
        assert answer is None or answer.status_code in {409, 503, 504}, refused
        assert time.monotonic() < deadline, refused
        time.sleep(0.2)
        answer = send_apart(stack, access, body, key=key)
    wait_for_status(world, "/api/apps", 200)
    assert count_apps(world, body["hostname"]) == 1
    assert world.settle(answer.json()["id"], wanted="running")["hostname"] == body["hostname"]
    again = send_apart(stack, access, body, key=key)
    assert again is not None
    assert again.json()["id"] == answer.json()["id"]


@pytest.mark.timeout(900)
def test_ten_users_deploy_at_once(world: World, stack: RunningStack) -> None:
    """On three nodes: no port, no container id and no hostname is given twice."""
    users = [world.register("ten") for _ in range(10)]
    contested = world.make_hostname()
    names = [world.make_hostname() for _ in users]
    tasks = [
        partial(send_apart, stack, user["access"], make_body(name))
        for user, name in zip(users, names, strict=True)
    ]
    tasks += [partial(send_apart, stack, user["access"], make_body(contested)) for user in users]
    answers = run_together(tasks)
    assert [answer.status_code for answer in answers[:10]] == [201] * 10, [a.text for a in answers[:10]]
    assert sorted(answer.status_code for answer in answers[10:]) == [201] + [409] * 9
    made = [answer.json()["id"] for answer in answers if answer.status_code == 201]
    apps = [world.settle(app_id, wanted="running") for app_id in made]
    for name in ("public_port", "hostname", "id"):
        assert len({app[name] for app in apps}) == 11, [app[name] for app in apps]
    assert len({(app["host_id"], app["lxc_id"]) for app in apps}) == 11
    everything = world.ask("/api/apps?per_page=100")["apps"]
    ports = [(app["host_id"], app["public_port"]) for app in everything if "public_port" in app]
    assert len(set(ports)) == len(ports)
    for user, app in zip(users, apps[:10], strict=True):
        seen = {each["id"] for each in world.ask("/api/apps", caller=user)["apps"]}
        assert app["id"] in seen
        assert len(seen) <= 2, "one's own, and perhaps the contested one"


def make_body(hostname: str) -> Json:
    return {"catalog_id": "whoami", "hostname": hostname, "config": {"memory": 64, "disk_size": 1}}


def test_two_who_want_one_name_at_once(world: World) -> None:
    """Accounts are unique whatever the case, also when they are made at the same time."""
    name = f"Twin{uuid.uuid4().hex[:6]}"
    bodies = [{"username": each, "password": PHRASE} for each in (name, name.lower(), name.upper())]
    url = f"{world.stack.url}/api/auth/register"
    answers = run_together([partial(httpx.post, url, json=body, timeout=60) for body in bodies])
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409], [a.text for a in answers]
