"""HTTP as stock programs speak it: HEAD, HTTP/1.0, methods that nobody knows."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest

from gateway.surface import Binding, Method, load_surface
from tests.contract.gateway.conftest import API_TOKEN
from tests.contract.gateway.envoy import Envoy
from tests.contract.gateway.refusals import check_error
from tests.contract.gateway.requests import answer_event, fill_path
from tests.contract.gateway.stub import Backend, Context, get_type

READS = [
    pytest.param(method, binding, id=binding.path)
    for method in load_surface().routed
    for binding in method.bindings
    if binding.method == "GET"
]
LIST_APPS = "/proximity.apps.v1.AppsService/ListApps"


def exchange(envoy: Envoy, *requests: str) -> bytes:
    """Send requests on one connection, the last of which closes it, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", envoy.port), timeout=10) as connection:
        connection.sendall("".join(requests).encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


@pytest.mark.parametrize(("method", "binding"), READS)
def test_head_is_get_without_a_body(
    client: httpx.Client, backend: Backend, method: Method, binding: Binding
) -> None:
    if method.is_endless:
        backend.answers[method.path] = answer_event("text/event-stream")
    path, _ = fill_path(method, binding)
    read, asked = client.get(path), client.head(path)
    assert (asked.status_code, asked.content) == (read.status_code, b"")
    assert asked.headers["content-type"] == read.headers["content-type"]
    assert [call.path for call in backend.calls if call.path == method.path] == [method.path] * 2


def test_head_of_an_endless_stream_is_told_to_end(client: httpx.Client, backend: Backend) -> None:
    path = "/proximity.apps.v1.AppsService/WatchAppEvents"
    backend.answers[path] = answer_event("text/event-stream")
    client.head("/api/apps/web-1/events")
    assert [call.metadata.get("x-proximity-head") for call in backend.calls if call.path == path] == ["1"]
    client.get("/api/apps/web-1/events", headers={"x-proximity-head": "1"})
    assert "x-proximity-head" not in backend.calls[-1].metadata


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_a_connection_goes_on_after_head(envoy: Envoy, backend: Backend, encoding: str) -> None:
    async def answer(_request: Any, _context: Context) -> Any:
        app = get_type("proximity.apps.v1.App")(name="n" * 5000)
        return get_type("proximity.apps.v1.ListAppsResponse")(apps=[app])

    backend.answers[LIST_APPS] = answer
    common = f"host: x\r\nauthorization: Bearer {API_TOKEN}\r\naccept-encoding: {encoding}\r\n"
    answers = exchange(
        envoy,
        f"HEAD /api/nope HTTP/1.1\r\n{common}\r\n",
        f"HEAD /api/apps HTTP/1.1\r\n{common}\r\n",
        "GET /api/health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    first, second, third, body = answers.split(b"\r\n\r\n", 3)
    assert first.startswith(b"HTTP/1.1 404")
    assert second.startswith(b"HTTP/1.1 200")
    assert b"content-length: 5" in second
    assert third.startswith(b"HTTP/1.1 200")
    assert body.startswith(b"{")


def test_head_by_http_2(envoy: Envoy, backend: Backend) -> None:
    with httpx.Client(
        base_url=f"https://localhost:{envoy.port}", http1=False, http2=True, verify=False
    ) as client:
        for _ in range(2):
            answer = client.head("/api/health")
            assert (answer.http_version, answer.status_code, answer.content) == ("HTTP/2", 200, b"")
        assert client.get("/api/health").json()["service"] == ""


@pytest.mark.parametrize("host", ["host: x\r\n", ""])
def test_http_1_0_is_answered(envoy: Envoy, backend: Backend, host: str) -> None:
    answer = exchange(envoy, f"GET /api/health HTTP/1.0\r\n{host}\r\n")
    head, body = answer.split(b"\r\n\r\n", 1)
    assert b" 200 OK" in head
    assert b"transfer-encoding" not in head.lower()
    assert body.startswith(b"{")


@pytest.mark.parametrize(("method", "binding"), READS)
def test_http_1_0_reads_whatever_1_1_does(
    envoy: Envoy, client: httpx.Client, backend: Backend, method: Method, binding: Binding
) -> None:
    if method.is_endless:
        backend.answers[method.path] = answer_event("text/event-stream")
    path, _ = fill_path(method, binding)
    answer = exchange(envoy, f"GET {path} HTTP/1.0\r\nauthorization: Bearer {API_TOKEN}\r\n\r\n")
    head, body = answer.split(b"\r\n\r\n", 1)
    assert b" 200 OK" in head
    assert b"transfer-encoding" not in head.lower()
    assert body == client.get(path).content


@pytest.mark.parametrize("method", ["BREW", "TRACE", "PROPFIND", "OPTIONS", "QUERY", "CUSTOM-METHOD"])
def test_methods_of_no_path_are_told_the_right_ones(client: httpx.Client, method: str) -> None:
    response = client.request(method, "/api/apps/reconcile")
    check_error(response, 405, "UNIMPLEMENTED")
    assert response.headers["allow"] == "POST"
    assert client.request(method, "/api/apps").headers["allow"] == "GET, HEAD, POST"
    with_body = client.request(method, "/api/apps", json={})
    check_error(with_body, 405, "UNIMPLEMENTED")
    assert with_body.json() == client.request(method, "/api/apps").json()
    check_error(client.request(method, '/api/no"pe'), 404, "NOT_FOUND")
    check_error(client.request(method, "/api/%FF"), 400, "INVALID_ARGUMENT")
    assert client.request(method, "/").headers["allow"] == "GET, HEAD"
    assert "x-proximity-refused-path" not in response.headers
