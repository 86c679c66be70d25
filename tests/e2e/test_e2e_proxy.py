"""A web interface and the API behind the proxies of docs/reverse-proxy.md, as a browser uses them."""

from __future__ import annotations

import json
import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import requests
from proximity.apps.v1.apps_service_pb2 import StreamEventsRequest
from proximity.apps.v1.apps_service_pb2_grpc import AppsServiceStub
from proximity.auth.v1.auth_service_pb2 import LoginRequest
from proximity.auth.v1.auth_service_pb2_grpc import AuthServiceStub
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.e2e.proxies import PROGRAMS, TEXT, Proxy, find_program, run_proxy
from tests.e2e.stack import PASSWORD, USERNAME, RunningStack

LIMIT_S = 300.0
CLIENT = "127.20.0.40"
LIAR = "198.51.100.7"


class _FromAddress(requests.adapters.HTTPAdapter):
    """Connections from an address of the loopback that is not the proxy's."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, source_address=(CLIENT, 0), **options)


class Visitor:
    """A browser that came to the proxy: cookies, the CSRF token in a header, its origin."""

    def __init__(self, proxy: Proxy) -> None:
        self.url = proxy.url
        self.session = requests.Session()
        self.session.mount("https://", _FromAddress())
        self.certificate = proxy.certificate
        self.session.headers["Origin"] = proxy.url
        self.session.headers["X-Forwarded-For"] = LIAR

    def send(self, method: str, path: str, body: object = None, **options: Any) -> requests.Response:
        csrf = self.session.cookies.get("__Host-csrftoken") or ""
        headers = {"X-CSRFToken": csrf}
        return self.session.request(
            method,
            f"{self.url}{path}",
            json=body,
            headers=headers,
            timeout=LIMIT_S,
            verify=self.certificate,
            **options,
        )

    def sign_in(self) -> requests.Response:
        return self.send("POST", "/api/auth/login", {"username": USERNAME, "password": PASSWORD})


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """A platform behind one proxy."""
    running = RunningStack(tmp_path_factory.mktemp("proxied") / "state", TRUSTED_PROXIES="1")
    yield running
    running.stop()


@pytest.fixture(scope="module", params=sorted(PROGRAMS))
def proxy(
    request: pytest.FixtureRequest, stack: RunningStack, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    if find_program(request.param) is None:
        pytest.skip(
            f"{request.param} is not installed (Debian: apt install {Path(PROGRAMS[request.param]).name})"
        )
    with run_proxy(request.param, tmp_path_factory.mktemp("proxy"), stack) as running:
        yield running


@pytest.fixture
def visitor(proxy: Proxy) -> Visitor:
    made = Visitor(proxy)
    answer = made.sign_in()
    assert answer.status_code == 200, answer.text
    return made


def test_the_interface_is_served_beside_the_api(proxy: Proxy) -> None:
    for path in ("/", "/apps/some-app"):
        page = requests.get(f"{proxy.url}{path}", verify=proxy.certificate, timeout=LIMIT_S)
        assert page.status_code == 200
        assert page.text == TEXT if proxy.serves_files else "<html" in page.text


def test_a_page_of_the_proxy_writes_with_cookies(visitor: Visitor) -> None:
    assert {each.name for each in visitor.session.cookies if each.secure} >= {"__Host-proximity-auth-cookie"}
    assert visitor.send("PATCH", "/api/auth/user", {"bio": "behind a proxy"}).status_code == 200
    visitor.session.headers["Origin"] = "https://elsewhere.example.org"
    refused = visitor.send("PATCH", "/api/auth/user", {"bio": "from elsewhere"})
    assert (refused.status_code, refused.json()["code"]) == (403, "PERMISSION_DENIED")


def test_the_address_is_the_clients_whatever_it_claims(visitor: Visitor) -> None:
    [session] = [
        each for each in visitor.send("GET", "/api/auth/sessions").json()["sessions"] if each["is_current"]
    ]
    assert session["address"] == CLIENT


def test_events_arrive_when_they_happen(visitor: Visitor) -> None:
    with visitor.send("GET", "/api/events", stream=True) as events:
        lines = events.iter_lines()
        assert next(line for line in lines if line.startswith(b"event: ")) == b"event: connected"
        body = {"catalog_id": "whoami", "hostname": f"proxied-{uuid.uuid4().hex[:8]}"}
        app = visitor.send("POST", "/api/apps", body)
        assert app.status_code == 201, app.text
        assert app.headers["location"] == f"/api/apps/{app.json()['id']}"
        found = (json.loads(line[6:]) for line in lines if line.startswith(b"data: "))
        assert any(each.get("id") == app.json()["id"] for each in found)
    visitor.send("DELETE", f"/api/apps/{app.json()['id']}")


def test_terminals_pass(proxy: Proxy, visitor: Visitor) -> None:
    """That of an app that does not exist is refused by the service, behind the handshake."""
    cookies = "; ".join(f"{each.name}={each.value}" for each in visitor.session.cookies)
    with connect(
        f"wss://localhost:{proxy.port}/api/apps/none-1/terminal?columns=80&rows=24",
        origin=Origin(proxy.url),
        additional_headers={"Cookie": cookies},
        ssl=ssl.create_default_context(cafile=proxy.certificate),
        proxy=None,
        open_timeout=LIMIT_S,
    ) as socket:
        assert json.loads(socket.recv(LIMIT_S))["error"] == "there is no app none-1"


def test_large_bodies_reach_the_gateway(visitor: Visitor) -> None:
    answer = visitor.send("PATCH", "/api/auth/user", {"bio": "x" * 1_900_000})
    assert (answer.status_code, answer.json()["code"]) == (400, "INVALID_ARGUMENT")


def test_grpc_passes(proxy: Proxy) -> None:
    credentials = grpc.ssl_channel_credentials(Path(proxy.certificate).read_bytes())
    with grpc.secure_channel(f"localhost:{proxy.port}", credentials) as channel:
        auth = AuthServiceStub(channel)
        session = auth.Login(LoginRequest(username=USERNAME, password=PASSWORD), timeout=LIMIT_S)
        metadata = (("authorization", f"Bearer {session.access}"),)
        events = AppsServiceStub(channel).StreamEvents(
            StreamEventsRequest(), timeout=LIMIT_S, metadata=metadata
        )
        assert next(iter(events)).HasField("connected")
        events.cancel()  # type: ignore[no-untyped-call]
        with pytest.raises(grpc.RpcError) as refused:  # a status without a message
            auth.Login(LoginRequest(username=USERNAME, password="wrong-one-1"), timeout=LIMIT_S)
    assert session.user.username == USERNAME
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
