"""Calls whose message never comes: they wait at the gateway, for a short time, and take no place of a service."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import h2.config
import h2.connection
import h2.events
import httpx
import pytest

from gateway.surface import Method, load_surface
from tests.contract.gateway.conftest import API_TOKEN, wait_until
from tests.contract.gateway.envoy import Envoy
from tests.contract.gateway.stub import Backend

TIMEOUT_S = 12  # tests wait for half of it, which is long on a busy machine too
# A stream of messages from the client is no message that could be waited for.
METHODS = [method for method in load_surface().routed if not method.client_streaming]
PREFACE = [("te", "trailers"), ("authorization", f"Bearer {API_TOKEN}")]
NOT_A_TOKEN = [
    "prx_x",
    "prx_",
    "prx_" + "a" * 42,
    "prx_" + "a" * 44,
    "prx_" + "a" * 42 + "%",
    "prx_" + "é" * 43,
]


@pytest.fixture(scope="module")
def options() -> dict[str, Any]:
    return {"request_timeout_s": TIMEOUT_S}


class Client:
    """HTTP/2 that begins requests and sends no body."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.http = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.http.initiate_connection()
        self.statuses: dict[int, str] = {}
        self.codes: dict[int, str] = {}

    def begin(self, path: str, kind: str = "application/grpc") -> None:
        """Send the headers of a request."""
        head = [(":method", "POST"), (":scheme", "http"), (":authority", "x"), (":path", path)]
        stream = self.http.get_next_available_stream_id()
        self.http.send_headers(stream, [*head, ("content-type", kind), *PREFACE])
        self.socket.sendall(self.http.data_to_send())

    def read(self) -> None:
        """Take in what came; returns when something did."""
        for event in self.http.receive_data(self.socket.recv(65536)):
            if isinstance(event, (h2.events.ResponseReceived, h2.events.TrailersReceived)):
                headers = {str(name, "ascii"): str(value, "ascii") for name, value in event.headers or ()}
                self.statuses.setdefault(event.stream_id, headers.get(":status", ""))
                if "grpc-status" in headers:
                    self.codes[event.stream_id] = headers["grpc-status"]
        self.socket.sendall(self.http.data_to_send())


@contextmanager
def connect(envoy: Envoy) -> Iterator[Client]:
    client = Client(envoy.port)
    try:
        yield client
    finally:
        client.socket.close()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_no_call_reaches_a_service_before_its_message_is_complete(
    envoy: Envoy, backend: Backend, method: Method
) -> None:
    with connect(envoy) as client:
        client.begin(method.path)
        wait_until(lambda: envoy.get_stat("http.http.downstream_rq_active") > 0)
        # The keys of auth may just be fetched; a call that reached the service would stay until it times out.
        wait_until(
            lambda: envoy.get_stat(f"cluster.{method.owner}.upstream_rq_active") == 0, seconds=TIMEOUT_S / 2
        )
    assert not [call for call in backend.calls if call.path == method.path]


@pytest.mark.parametrize("kind", ["application/grpc", "application/grpc-web"])
def test_many_calls_without_a_message_end_soon_and_others_are_answered(
    envoy: Envoy, backend: Backend, anonymous: httpx.Client, kind: str
) -> None:
    with connect(envoy) as client:
        for _ in range(90):
            client.begin("/proximity.auth.v1.AuthService/Login", kind)
        wait_until(lambda: envoy.get_stat("cluster.auth.upstream_rq_active") == 0, seconds=TIMEOUT_S / 2)
        assert anonymous.post("/api/auth/login", json={"username": "a", "password": "b"}).status_code == 200
        while len(client.statuses) < 90:
            client.read()
    assert len([call for call in backend.calls if call.path.endswith("/Login")]) == 1


@pytest.mark.parametrize("token", NOT_A_TOKEN)
def test_what_auth_never_issues_as_a_token_ends_at_the_gateway(
    envoy: Envoy, backend: Backend, anonymous: httpx.Client, token: str
) -> None:
    backend.calls.clear()
    headers = {b"authorization": b"Bearer " + token.encode()}
    assert anonymous.get("/api/apps", headers=headers).status_code == 401
    assert not [call for call in backend.calls if call.path.startswith("/proximity.apps.")]
    if token.isascii():
        with grpc.insecure_channel(f"127.0.0.1:{envoy.port}") as channel:
            call = channel.unary_unary("/proximity.apps.v1.AppsService/DeployApp", bytes, bytes)
            with pytest.raises(grpc.RpcError) as refused:
                call(b"", metadata=(("authorization", f"Bearer {token}"),), timeout=10)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
