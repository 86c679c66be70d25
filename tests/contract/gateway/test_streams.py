"""Events flow as they happen; lists arrive whole; numbers keep their value."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from tests.contract.gateway.conftest import wait_until
from tests.contract.gateway.refusals import check_error, refuse
from tests.contract.gateway.stub import Backend, Context, get_type

WATCH = "/proximity.apps.v1.AppsService/WatchAppEvents"
LIST_HOSTS = "/proximity.inventory.v1.HostService/ListHosts"
LIST_NODES = "/proximity.inventory.v1.HostService/ListNodes"
EVENTS = "/api/apps/web-1/events"


def make_frame(text: str) -> Any:
    return get_type("google.api.HttpBody")(content_type="text/event-stream", data=text.encode())


def test_events_flow_as_they_happen(client: httpx.Client, backend: Backend) -> None:
    """Each is read before the next is sent; buffering anywhere would end in a timeout."""
    gates: list[asyncio.Event] = []

    async def answer(request: Any, context: Context) -> Any:
        gates.extend(asyncio.Event() for _ in range(3))
        for number, gate in enumerate(gates):
            yield make_frame(f"id: {number}\ndata: {request.app_id}\n\n")
            await gate.wait()

    backend.answers[WATCH] = answer
    headers = {"last-event-id": "41", "accept": "text/event-stream", "accept-encoding": "gzip"}
    with client.stream("GET", EVENTS, headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["cache-control"] == "no-cache"
        assert "content-encoding" not in response.headers
        lines = response.iter_lines()
        for number in range(3):
            assert [next(lines) for _ in range(3)] == [f"id: {number}", "data: web-1", ""]
            backend._loop.call_soon_threadsafe(gates[number].set)
        assert list(lines) == []
    call = backend.calls[-1]
    assert call.metadata["last-event-id"] == "41"
    assert call.time_remaining is None


def test_a_client_that_leaves_ends_the_call(client: httpx.Client, backend: Backend) -> None:
    async def answer(_request: Any, _context: Context) -> Any:
        yield make_frame(": hello\n\n")
        await asyncio.Event().wait()

    backend.answers[WATCH] = answer
    with client.stream("GET", EVENTS) as response:
        assert next(response.iter_lines()) == ": hello"
    wait_until(backend.cancelled.is_set)


def test_a_refused_stream_is_an_error(client: httpx.Client, backend: Backend) -> None:
    async def answer(request: Any, context: Context) -> Any:
        await refuse("NOT_FOUND", "no such app")(request, context)
        yield

    backend.answers[WATCH] = answer
    body = check_error(client.get(EVENTS), 404, "NOT_FOUND")
    assert body["error"] == "no such app"


def test_a_stream_of_messages_is_an_array(client: httpx.Client, backend: Backend) -> None:
    async def answer(_request: Any, _context: Context) -> Any:
        for number in range(3):
            yield get_type("proximity.inventory.v1.Host")(id=number, name=f"pve{number}", version="9.1")

    backend.answers[LIST_HOSTS] = answer
    response = client.get("/api/proxmox/hosts")
    assert [host["name"] for host in response.json()] == ["pve0", "pve1", "pve2"]
    assert response.headers["content-type"] == "application/json"


def test_a_long_array_arrives(client: httpx.Client, backend: Backend) -> None:
    async def answer(_request: Any, _context: Context) -> Any:
        for number in range(8_000):
            yield get_type("proximity.inventory.v1.Node")(id=number, name="n" * 100)

    backend.answers[LIST_NODES] = answer
    assert [node["id"] for node in client.get("/api/proxmox/nodes").json()] == list(range(8_000))


def test_large_numbers_stay_numbers(client: httpx.Client, backend: Backend) -> None:
    async def answer(_request: Any, _context: Context) -> Any:
        yield get_type("proximity.inventory.v1.Node")(memory_total=2**53, memory_used=1.5, cpu_usage=0.25)

    backend.answers[LIST_NODES] = answer
    [node] = client.get("/api/proxmox/nodes").json()
    assert (node["memory_total"], node["memory_used"], node["cpu_usage"]) == (2**53, 1.5, 0.25)


def test_what_has_no_value_is_left_out_and_lists_are_never_null(
    client: httpx.Client, backend: Backend
) -> None:
    async def answer(_request: Any, _context: Context) -> Any:
        return get_type("proximity.apps.v1.App")(id="web-1", status="deploying")

    backend.answers["/proximity.apps.v1.AppsService/GetApp"] = answer
    body = client.get("/api/apps/web-1").json()
    assert "url" not in body
    assert body["environment"] == {}
    assert body["conditions"] == []
