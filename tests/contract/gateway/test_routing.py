"""Every RPC is reached by every one of its paths, in the service that owns it, and nothing else is reached."""

from __future__ import annotations

import grpc
import httpx
import pytest

from gateway.surface import Binding, Method
from tests.contract.gateway.conftest import API_TOKEN
from tests.contract.gateway.envoy import Envoy
from tests.contract.gateway.requests import (
    SURFACE,
    answer_event,
    fill_path,
)
from tests.contract.gateway.stub import Backend, get_type

BINDINGS = [
    pytest.param(method, binding, id=f"{binding.method} {binding.path}")
    for method in SURFACE.routed
    for binding in method.bindings
]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize(("method", "binding"), BINDINGS)
def test_reaches_its_rpc(
    client: httpx.Client, backend: Backend, method: Method, binding: Binding, slash: str
) -> None:
    if method.is_endless:
        backend.answers[method.path] = answer_event("text/event-stream")
    path, values = fill_path(method, binding)
    response = client.request(binding.method, path + slash, json={} if binding.body else None)
    assert response.status_code == method.success
    [call] = [call for call in backend.calls if call.path == method.path]
    assert call.owner == method.owner
    assert {name: getattr(call.request, name) for name in values} == values
    assert "x-http-code" not in response.headers
    assert not [name for name in response.headers if name.startswith("grpc-")]
    if method.success == 204:
        assert response.content == b""
    elif method.is_array:
        assert response.json() == []


@pytest.mark.parametrize("method", SURFACE.methods, ids=lambda method: method.path)
def test_native_grpc_reaches_what_is_not_internal(envoy: Envoy, backend: Backend, method: Method) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{envoy.port}") as channel:
        make = channel.unary_stream if method.server_streaming else channel.unary_unary
        call = make(
            method.path,
            request_serializer=get_type(method.input).SerializeToString,
            response_deserializer=get_type(method.output).FromString,
        )
        metadata = (("authorization", f"Bearer {API_TOKEN}"),)
        try:
            result = call(get_type(method.input)(), metadata=metadata, timeout=10)
            if method.server_streaming:
                assert list(result) == []
            code = grpc.StatusCode.OK
        except grpc.RpcError as error:
            code = error.code()
    reached = [call.path for call in backend.calls if call.path == method.path]
    if method.is_routed:
        assert (code, reached) == (grpc.StatusCode.OK, [method.path])
    else:
        assert (code, reached) == (grpc.StatusCode.UNIMPLEMENTED, [])


def test_a_literal_segment_beats_a_variable(client: httpx.Client, backend: Backend) -> None:
    client.get("/api/apps/discover")
    client.get("/api/catalog/stats")
    names = [call.path.rsplit("/", 1)[1] for call in backend.calls]
    assert names == ["DiscoverContainers", "GetCatalogStats"]


def test_a_word_that_is_a_literal_elsewhere_is_still_an_id(client: httpx.Client, backend: Backend) -> None:
    assert client.get("/api/apps/discover/logs").status_code == 200
    assert backend.calls[-1].request.app_id == "discover"


def test_the_path_of_an_rpc_is_not_a_rest_path(client: httpx.Client, backend: Backend) -> None:
    for method in ("GET", "POST"):
        response = client.request(method, "/proximity.apps.v1.AppsService/ListApps", json={})
        assert response.status_code == 404
    assert not [call for call in backend.calls if call.path.endswith("ListApps")]


def test_queries_reach_their_fields(client: httpx.Client, backend: Backend) -> None:
    assert client.get("/api/apps?page=2&per_page=5&search=a+b%26c&_=1").status_code == 200
    request = backend.calls[-1].request
    assert (request.page, request.per_page, request.search) == (2, 5, "a b&c")


def test_deadlines_reach_the_service(client: httpx.Client, backend: Backend) -> None:
    client.get("/api/apps", headers={"grpc-timeout": "1H"})
    client.post("/api/apps", json={})
    read, write = (call.time_remaining for call in backend.calls[-2:])
    assert read is not None
    assert 10 < read <= 15
    assert write is not None
    assert 25 < write <= 30
