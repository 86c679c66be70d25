"""Services that are away, hang or come back; clients that ask too much, or too slowly."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import grpc
import httpx
import pytest

from tests.contract.gateway.conftest import API_TOKEN, wait_until
from tests.contract.gateway.envoy import Envoy
from tests.contract.gateway.refusals import check_error
from tests.contract.gateway.stub import Backend, Context, get_type

APPS = "/proximity.apps.v1.AppsService"


@pytest.fixture(scope="module")
def options() -> dict[str, Any]:
    return {
        "read_timeout_s": 1,
        "write_timeout_s": 1,
        "headers_timeout_s": 1,
        "request_timeout_s": 2,
        "requests_per_second": 50,
        "requests_burst": 100,
        "max_connections": 20,
        "idle_timeout_s": 1,
    }


async def hang(_request: Any, _context: Context) -> None:
    await asyncio.Event().wait()


def test_a_service_that_hangs_is_504(client: httpx.Client, backend: Backend) -> None:
    backend.answers |= {f"{APPS}/ListApps": hang, f"{APPS}/DeployApp": hang}
    body = check_error(client.get("/api/apps"), 504, "DEADLINE_EXCEEDED")
    assert body["error"] == "The service did not answer in time"
    check_error(client.post("/api/apps", json={}), 504, "DEADLINE_EXCEEDED")
    assert len([call for call in backend.calls if call.path.startswith(APPS)]) == 2


def test_a_service_that_is_away_is_503_and_comes_back(client: httpx.Client, backend: Backend) -> None:
    backend.stop_server("catalog")
    try:
        response = client.get("/api/catalog")
        body = check_error(response, 503, "UNAVAILABLE")
        assert response.headers["retry-after"] == "2"
        assert body["error"] == "The service is not available; try again shortly"
        check_error(client.post("/api/catalog/reload"), 503, "UNAVAILABLE")
        assert client.get("/api/apps").status_code == 200
    finally:
        backend.start_server("catalog")
    wait_until(lambda: client.get("/api/catalog").status_code == 200)


def test_a_failed_read_is_tried_again_and_a_write_is_not(client: httpx.Client, backend: Backend) -> None:
    async def refuse_first(_request: Any, context: Context) -> Any:
        calls = [call for call in backend.calls if call.path.startswith(APPS)]
        if len(calls) == 1:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "restarting")
        return get_type("proximity.apps.v1.ListAppsResponse")(total=1)

    async def refuse_all(_request: Any, context: Context) -> Any:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "restarting")

    backend.answers[f"{APPS}/ListApps"] = refuse_first
    assert client.get("/api/apps").json()["total"] == 1
    backend.calls.clear()
    backend.answers[f"{APPS}/DeployApp"] = refuse_all
    check_error(client.post("/api/apps", json={}), 503, "UNAVAILABLE")
    assert len([call for call in backend.calls if call.path.startswith(APPS)]) == 1


def test_what_a_server_that_ends_has_not_looked_at_is_tried_again_writes_too(
    client: httpx.Client, backend: Backend
) -> None:
    async def drop_first(_request: Any, context: Context) -> Any:
        if len([call for call in backend.calls if call.path.startswith(APPS)]) == 1:
            await context.abort(grpc.StatusCode.CANCELLED, "as gRPC says it for a server that ends")
        return get_type("proximity.apps.v1.App")(name="web")

    backend.answers[f"{APPS}/DeployApp"] = drop_first
    assert client.post("/api/apps", json={}).json()["name"] == "web"


def test_auth_away_locks_nobody_out(client: httpx.Client, backend: Backend) -> None:
    backend.stop_server("auth")
    try:
        assert client.get("/api/apps").status_code == 200
    finally:
        backend.start_server("auth")


def test_a_quiet_event_stream_lives_on(client: httpx.Client, backend: Backend) -> None:
    gate = asyncio.Event()

    async def answer(_request: Any, _context: Context) -> Any:
        yield get_type("google.api.HttpBody")(content_type="text/event-stream", data=b": hello\n\n")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(gate.wait(), 3)
        yield get_type("google.api.HttpBody")(content_type="text/event-stream", data=b"data: 1\n\n")

    backend.answers[f"{APPS}/WatchAppEvents"] = answer
    assert client.get("/api/apps/web-1/events").text == ": hello\n\ndata: 1\n\n"


def test_slow_headers_end_the_connection(envoy: Envoy) -> None:
    with socket.create_connection(("127.0.0.1", envoy.port), timeout=120) as connection:
        connection.sendall(b"GET /api/apps HTTP/1.1\r\nhost: x\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


def test_slow_bodies_end_the_request(envoy: Envoy) -> None:
    head = b"POST /api/apps HTTP/1.1\r\nhost: x\r\nauthorization: Bearer " + API_TOKEN.encode() + b"\r\n"
    with socket.create_connection(("127.0.0.1", envoy.port), timeout=120) as connection:
        connection.sendall(head + b"content-type: application/json\r\ncontent-length: 10\r\n\r\n{")
        assert connection.recv(100).startswith(b"HTTP/1.1 408")


def test_too_many_connections_are_closed(envoy: Envoy, client: httpx.Client) -> None:
    connections = [socket.create_connection(("127.0.0.1", envoy.port), timeout=10) for _ in range(40)]
    try:
        wait_until(lambda: sum(is_closed(connection) for connection in connections) >= 20)
        assert not all(is_closed(connection) for connection in connections)
    finally:
        for connection in connections:
            connection.close()
    wait_until(lambda: client.get("/api/health").status_code in {200, 429})


def is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0)
    try:
        return connection.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_too_many_requests_are_429(client: httpx.Client) -> None:
    host, port = client.base_url.host, client.base_url.port or 80
    ask = f"GET /api/health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
    with socket.create_connection((host, port), timeout=30) as line:
        line.sendall(ask * 299 + ask.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        received = b"".join(iter(lambda: line.recv(1 << 16), b""))
    assert received.count(b"HTTP/1.1 200") >= 50
    assert b"HTTP/1.1 429" in received
    wait_until(lambda: client.get("/api/health").status_code == 200)
    refused = read_last_refusal(received)
    check_error(refused, 429, "RESOURCE_EXHAUSTED")
    assert int(refused.headers["retry-after"]) >= 1


def read_last_refusal(received: bytes) -> httpx.Response:
    """The last of many answers that says 429."""
    head, _, rest = received[received.rindex(b"HTTP/1.1 429") :].partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    return httpx.Response(429, headers=headers, content=rest[: int(headers["content-length"])])
