"""Errors that no RPC makes, through the whole stack: one shape, the right status, the headers that go with it."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from tests.contract.api.answers import (
    check_refusal,
    list_violations,
    wait_for_status,
)
from tests.contract.api.table import Request
from tests.contract.api.world import World
from tests.e2e.stack import RunningStack

FLOOD_ADDRESS = "127.20.0.9"
CONNECTIONS = 250  # one request on each at a time: more would be taken for an attack


@pytest.mark.parametrize("caller", ["anonymous", "alice"])
@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/nope", "/api/apps/x/y/z", "/api/auth/login/x", "/nothing.of-the-console"]
)
def test_unknown_paths(world: World, path: str, caller: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        check_refusal(
            world.send(method, path, caller=caller), Request(why=path, status=404, code="NOT_FOUND")
        )


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/api/apps", {"GET", "POST"}),
        ("PUT", "/api/apps/", {"GET", "POST"}),
        ("POST", "/api/apps/whoami-00000000", {"DELETE", "GET", "PATCH"}),
        ("GET", "/api/auth/login", {"POST"}),
        ("POST", "/api/health", {"GET"}),
        ("PATCH", "/api/catalog/search/", {"GET"}),
        ("OPTIONS", "/api/apps", {"GET", "POST"}),
        ("TRACE", "/api/apps", {"GET", "POST"}),
    ],
)
def test_wrong_methods(world: World, method: str, path: str, allowed: set[str]) -> None:
    answer = world.send(method, path, caller="alice")
    check_refusal(answer, Request(why=path, status=405))
    with_head = allowed | ({"HEAD"} if "GET" in allowed else set())
    assert set(answer.headers["allow"].split(", ")) == with_head


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml"]
)
def test_other_kinds_of_bodies(world: World, kind: str) -> None:
    answer = world.send("POST", "/api/apps", caller="alice", content=b"a=b", headers={"Content-Type": kind})
    check_refusal(answer, Request(why=kind, status=415, code="INVALID_ARGUMENT"))


@pytest.mark.parametrize(
    "text", ["{", '{"hostname":', "{'a' 'b'}", '{"hostname": web}', "nonsense", "{}}", '{"a": NaN}', "\xff"]
)
def test_malformed_bodies(world: World, text: str) -> None:
    headers = {"Content-Type": "application/json"}
    content = text.encode("latin-1")
    answer = world.send("POST", "/api/apps", caller="alice", content=content, headers=headers)
    check_refusal(answer, Request(why=text, status=400, code="INVALID_ARGUMENT"))


@pytest.mark.parametrize(
    ("path", "field"),
    [("/api/apps?status=asleep", "status"), ("/api/apps?page=0", "page"), ("/api/apps?per_page=101", "per_page"),
     ("/api/apps?page=one", "page"), ("/api/apps?page=1&page=2", "page"), ("/api/proxmox/nodes?host_id=x", "host_id")],
)  # fmt: skip
def test_queries_name_their_field(world: World, path: str, field: str) -> None:
    answer = world.send("GET", path, caller="alice")
    check_refusal(answer, Request(why=path, status=400, field=field))
    assert list_violations(answer.json()) == [field]


def test_a_body_that_is_too_large(world: World) -> None:
    body = {"catalog_id": "whoami", "hostname": "web", "name": "a" * (2 * 1024 * 1024)}
    answer = world.send("POST", "/api/apps", caller="alice", json=body)
    check_refusal(answer, Request(why="2 MiB", status=413, code="INVALID_ARGUMENT"))


def flood(stack: RunningStack, *, rounds: int) -> tuple[bytes, int]:
    """Ask again and again from one address until it is too much: what came back then, and how many were answered."""
    ask = b"GET /api/nope HTTP/1.1\r\nHost: localhost\r\n\r\n"
    where = ("127.0.0.1", stack.port)
    with ExitStack() as opened:
        lines = [
            opened.enter_context(
                socket.create_connection(where, timeout=30, source_address=(FLOOD_ADDRESS, 0))
            )
            for _ in range(CONNECTIONS)
        ]
        answered = 0
        for _ in range(rounds):
            for line in lines:
                line.sendall(ask)
            received = [read_answer(line) for line in lines]
            answered += sum(each.count(b"HTTP/1.1 404") for each in received)
            for each in received:
                if b"HTTP/1.1 429" in each:
                    return each[each.index(b"HTTP/1.1 429") :], answered
    raise AssertionError(f"{answered} requests were not too many")


def read_answer(line: socket.socket) -> bytes:
    received = b""
    while b"}" not in received:
        part = line.recv(1 << 16)
        assert part, "the connection was closed"
        received += part
    return received


def test_too_many_requests(world: World, stack: RunningStack) -> None:
    received, answered = flood(stack, rounds=60)
    assert answered >= 900, "a burst of a thousand is allowed"
    head, _, rest = received.partition(b"\r\n\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert int(headers["retry-after"]) >= 0
    body = json.loads(rest[: int(headers["content-length"])])
    assert set(body) == {"error", "code", "details"}
    assert body["code"] == "RESOURCE_EXHAUSTED"
    assert world.send("GET", "/api/health").status_code == 200, "others go on"


def test_too_many_wrong_passwords(world: World) -> None:
    spare = world.make_spare_user()
    body = {"username": spare["user"]["username"], "password": "wrong-wrong-1"}
    statuses = []
    for _ in range(7):
        answer = world.send("POST", "/api/auth/login", json=body)
        statuses.append(answer.status_code)
        if answer.status_code == 429:
            break
    assert statuses == [401] * (len(statuses) - 1) + [429]
    check_refusal(answer, Request(why="guessing", status=429, code="RESOURCE_EXHAUSTED"))
    assert int(answer.headers["retry-after"]) > 0


@pytest.fixture
def catalog(stack: RunningStack, world: World) -> Iterator[psutil.Process]:
    """The catalog service, which this test may stop; it is back afterwards."""
    process = stack.find_process("catalog")
    yield process
    if process.is_running():
        process.send_signal(signal.SIGCONT)
    wait_for_status(world, "/api/catalog", 200)


def test_a_service_that_hangs_and_one_that_is_down(world: World, catalog: psutil.Process) -> None:
    os.kill(catalog.pid, signal.SIGSTOP)
    answer = world.send("GET", "/api/catalog/whoami", caller="alice")
    check_refusal(answer, Request(why="it hangs", status=504, code="DEADLINE_EXCEEDED"))
    os.kill(catalog.pid, signal.SIGKILL)
    answer = wait_for_status(world, "/api/catalog/whoami", 503)
    check_refusal(answer, Request(why="it is down", status=503, code="UNAVAILABLE"))
    assert int(answer.headers["retry-after"]) > 0
    assert world.send("GET", "/api/apps", caller="alice").status_code == 200, "the others go on"
