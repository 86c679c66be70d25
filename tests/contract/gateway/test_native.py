"""The same port speaks http and https, HTTP/1.1 and HTTP/2, REST, gRPC and grpc-web."""

from __future__ import annotations

import base64
import ssl
import struct
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_status import rpc_status

from gateway.config import Certificate
from gateway.surface import load_surface
from tests.contract.gateway.conftest import API_TOKEN
from tests.contract.gateway.envoy import Envoy
from tests.contract.gateway.stub import Backend, Context, get_type

LIST_APPS = "/proximity.apps.v1.AppsService/ListApps"
METADATA = (("authorization", f"Bearer {API_TOKEN}"),)


@pytest.fixture(params=["http", "https"])
def channel(request: pytest.FixtureRequest, envoy: Envoy, certificate: Certificate) -> Iterator[grpc.Channel]:
    if request.param == "http":
        made = grpc.insecure_channel(f"127.0.0.1:{envoy.port}")
    else:
        credentials = grpc.ssl_channel_credentials(certificate.chain.read_bytes())
        made = grpc.secure_channel(f"localhost:{envoy.port}", credentials)
    with made:
        yield made


def list_apps(channel: grpc.Channel, metadata: Any = METADATA, **request: Any) -> Any:
    call = channel.unary_unary(
        LIST_APPS,
        request_serializer=get_type("proximity.apps.v1.ListAppsRequest").SerializeToString,
        response_deserializer=get_type("proximity.apps.v1.ListAppsResponse").FromString,
    )
    return call(get_type("proximity.apps.v1.ListAppsRequest")(**request), metadata=metadata, timeout=10)


async def answer_total(request: Any, _context: Context) -> Any:
    return get_type("proximity.apps.v1.ListAppsResponse")(total=5, page=request.page)


def test_grpc_passes(channel: grpc.Channel, backend: Backend) -> None:
    backend.answers[LIST_APPS] = answer_total
    answer = list_apps(channel, page=3)
    assert (answer.total, answer.page) == (5, 3)


def test_native_errors_stay_native(channel: grpc.Channel, backend: Backend) -> None:
    async def answer(_request: Any, context: Context) -> None:
        packed = Packed()
        packed.Pack(error_details_pb2.ErrorInfo(reason="APP_NOT_FOUND"))
        status = status_pb2.Status(code=5, message="no such app", details=[packed])
        await context.abort_with_status(rpc_status.to_status(status))

    backend.answers[LIST_APPS] = answer
    with pytest.raises(grpc.RpcError) as caught:
        list_apps(channel)
    error: Any = caught.value
    assert (error.code(), error.details()) == (grpc.StatusCode.NOT_FOUND, "no such app")
    details = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    assert details is not None
    assert details.details[0].Unpack(info)
    assert info.reason == "APP_NOT_FOUND"


def test_native_refusals_are_a_status_and_a_sentence(channel: grpc.Channel, backend: Backend) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        list_apps(channel, metadata=())
    error: Any = caught.value
    assert error.code() == grpc.StatusCode.UNAUTHENTICATED
    assert error.details() == "Authentication credentials were not provided"
    assert not [call for call in backend.calls if call.path == LIST_APPS]


def test_the_health_of_each_public_service_comes_from_its_own_server(
    channel: grpc.Channel, backend: Backend
) -> None:
    health = health_pb2_grpc.HealthStub(channel)

    def check(name: str) -> int:
        request = health_pb2.HealthCheckRequest(service=name)
        return int(health.Check(request, timeout=10).status)

    public = {method.service: method.owner for method in load_surface().routed}
    assert {check(name) for name in ("", *public)} == {health_pb2.HealthCheckResponse.SERVING}
    watch = health.Watch(health_pb2.HealthCheckRequest(service="proximity.apps.v1.AppsService"), timeout=10)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    watch.cancel()
    backend.stop_server("catalog")
    try:
        with pytest.raises(grpc.RpcError) as caught:
            check("proximity.catalog.v1.CatalogService")
    finally:
        backend.start_server("catalog")
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("name", ["proximity.inventory.v1.ContainerService", "no.such.Service"])
def test_the_health_of_other_services_is_not_found(channel: grpc.Channel, name: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def build_pool(files: dict[str, descriptor_pb2.FileDescriptorProto]) -> descriptor_pool.DescriptorPool:
    """Add files to a pool, each behind those that it imports."""
    pool, added = descriptor_pool.DescriptorPool(), set[str]()

    def add(name: str) -> None:
        if name not in added:
            added.add(name)
            for dependency in files[name].dependency:
                add(dependency)
            pool.Add(files[name])

    for name in files:
        add(name)
    return pool


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_a_client_that_knows_only_reflection_calls_the_api(channel: grpc.Channel, version: str) -> None:
    reflect = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )

    def ask(**request: str) -> reflection_pb2.ServerReflectionResponse:
        [answer] = reflect(iter([reflection_pb2.ServerReflectionRequest(**request)]), timeout=10)
        return answer

    names = {service.name for service in ask(list_services="").list_services_response.service}
    public = {method.service for method in load_surface().routed}
    infrastructure = {
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert names == public | infrastructure
    files = {}
    for name in names:
        for content in ask(file_containing_symbol=name).file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(content)
            files[file.name] = file
    pool = build_pool(files)
    described = {
        f"/{name}/{method.name}" for name in public for method in pool.FindServiceByName(name).methods
    }
    assert described == {method.path for method in load_surface().routed}
    method = ask(file_containing_symbol="proximity.auth.v1.AuthService.Login")
    assert method.file_descriptor_response.file_descriptor_proto
    hidden = ask(file_containing_symbol="proximity.inventory.v1.ContainerService")
    assert hidden.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


@pytest.mark.parametrize("kind", ["application/grpc-web+proto", "application/grpc-web-text"])
def test_grpc_web_passes(client: httpx.Client, backend: Backend, kind: str) -> None:
    backend.answers[LIST_APPS] = answer_total
    message = get_type("proximity.apps.v1.ListAppsRequest")(page=3).SerializeToString()
    body = b"\0" + struct.pack(">I", len(message)) + message
    is_text = kind.endswith("text")
    headers = {"content-type": kind, "accept": kind, "x-grpc-web": "1"}
    response = client.post(LIST_APPS, content=base64.b64encode(body) if is_text else body, headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/grpc-web")
    content = base64.b64decode(response.content) if is_text else response.content
    length = struct.unpack(">I", content[1:5])[0]
    answer: Any = get_type("proximity.apps.v1.ListAppsResponse").FromString(content[5 : 5 + length])
    assert answer.total == 5
    assert b"grpc-status:0" in content[5 + length :]


@pytest.mark.parametrize("http2", [False, True])
def test_rest_over_https(envoy: Envoy, certificate: Certificate, backend: Backend, http2: bool) -> None:
    context = ssl.create_default_context(cafile=str(certificate.chain))
    with httpx.Client(verify=context, http2=http2, headers=dict(METADATA)) as client:
        response = client.get(f"https://localhost:{envoy.port}/api/apps")
    assert response.status_code == 200
    assert response.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    assert response.headers["strict-transport-security"].startswith("max-age=")
    assert backend.calls[-1].metadata["x-forwarded-proto"] == "https"


def test_rest_over_cleartext_http2(envoy: Envoy, backend: Backend) -> None:
    with httpx.Client(http1=False, http2=True, verify=False, headers=dict(METADATA)) as client:
        response = client.get(f"{envoy.url}/api/apps")
        refused = client.post(f"{envoy.url}/api/apps", content=b"{}", headers={"content-type": "text/plain"})
    assert (response.status_code, response.http_version) == (200, "HTTP/2")
    assert refused.status_code == 415
    assert "strict-transport-security" not in response.headers
    assert backend.calls[-1].metadata["x-forwarded-proto"] == "http"
