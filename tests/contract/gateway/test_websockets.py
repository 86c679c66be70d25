"""WebSockets through the gateway: the allowed origins and credentials, and that nothing is withheld or cut off."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from websockets.exceptions import InvalidStatus

from gateway.config import Endpoint
from tests.contract.gateway.conftest import API_TOKEN, Signer
from tests.contract.gateway.echo import PATH, Echo, open_socket
from tests.contract.gateway.envoy import Envoy
from tests.contract.gateway.stub import Backend, Context, get_type

ATTACH = "/proximity.apps.v1.AppsService/AttachTerminal"
REQUEST_TIMEOUT_S = 1  # a terminal is a request that never ends


@pytest.fixture(scope="module")
def echo() -> Iterator[Echo]:
    running = Echo()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def options(echo: Echo) -> dict[str, Any]:
    return {
        "websockets": {"apps": (Endpoint("127.0.0.1", echo.port),)},
        "request_timeout_s": REQUEST_TIMEOUT_S,
        "idle_timeout_s": REQUEST_TIMEOUT_S,
    }


def refuse(envoy: Envoy, path: str = PATH, **given: Any) -> tuple[int, str]:
    """Connect in vain; returns the status and the body."""
    with pytest.raises(InvalidStatus) as caught, open_socket(envoy, path, **given):
        pass
    body = caught.value.response.body
    return caught.value.response.status_code, (body or b"").decode()


@pytest.fixture
def cookie(signer: Signer, backend: Backend) -> str:
    assert backend.answers
    return f"proximity-auth-cookie={signer.sign()}"


@pytest.mark.parametrize("path", [PATH, f"{PATH}/", f"{PATH}?columns=100&rows=30"])
def test_a_page_of_the_origin_gets_through(envoy: Envoy, cookie: str, path: str) -> None:
    origin = f"http://127.0.0.1:{envoy.port}"
    with open_socket(envoy, path, origin=origin, cookie=cookie, x_proximity_owner="inventory") as socket:
        assert socket.recv(10).split("\n") == [
            path,
            f"127.0.0.1:{envoy.port}",
            "127.0.0.1",
            "http",
            "None",
            cookie,
        ]
        for frame in (b"\x00\xff\x1b[A", "text", b"x" * 60_000, b""):
            socket.send(frame)
            assert socket.recv(10) == frame


def test_https_works_the_same_with_its_own_cookie(envoy: Envoy, signer: Signer, backend: Backend) -> None:
    origin = f"https://127.0.0.1:{envoy.port}"
    cookie = f"__Host-proximity-auth-cookie={signer.sign()}"
    with open_socket(envoy, https=True, origin=origin, cookie=cookie) as socket:
        assert "https" in socket.recv(10)


def test_a_silent_socket_stays_open_longer_than_requests_may_take(envoy: Envoy, cookie: str) -> None:
    with open_socket(envoy, origin=f"http://127.0.0.1:{envoy.port}", cookie=cookie) as socket:
        socket.recv(10)
        with pytest.raises(TimeoutError):
            socket.recv(2.5 * REQUEST_TIMEOUT_S)
        socket.send("still here")
        assert socket.recv(10) == "still here"


def test_a_bidirectional_call_lasts_longer_than_requests_may_take(envoy: Envoy, backend: Backend) -> None:
    output = get_type("proximity.apps.v1.TerminalOutput")

    async def answer(_request: Any, _context: Context) -> Any:
        yield output(data=b"first")
        await asyncio.sleep(2.5 * REQUEST_TIMEOUT_S)
        yield output(data=b"last")

    backend.answers[ATTACH] = answer
    requests: Any = [get_type("proximity.apps.v1.TerminalInput")(app_id="web-1")]
    ended = threading.Event()

    def send() -> Iterator[Any]:
        yield from requests
        ended.wait(20)

    with grpc.insecure_channel(f"127.0.0.1:{envoy.port}") as channel:
        call = channel.stream_stream(
            ATTACH,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=output.FromString,
        )
        metadata = (("authorization", f"Bearer {API_TOKEN}"),)
        answers = [piece.data for piece in call(send(), metadata=metadata, timeout=20)]
    ended.set()
    assert answers == [b"first", b"last"]


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "http://127.0.0.1",
        "http://127.0.0.1:{port}.evil.example",
        "{port}",
        "x",
    ],
)
def test_pages_of_other_origins_are_refused(envoy: Envoy, cookie: str, origin: str) -> None:
    status, body = refuse(envoy, origin=origin.format(port=envoy.port), cookie=cookie)
    assert status == 403
    assert "of another origin" in body


def test_a_cookie_without_an_origin_is_refused_and_a_header_needs_none(envoy: Envoy, cookie: str) -> None:
    assert refuse(envoy, cookie=cookie)[0] == 403
    with open_socket(envoy, authorization=f"Bearer {API_TOKEN}") as socket:
        assert socket.recv(10).startswith(PATH)


def test_bad_credentials_are_refused_before_the_upgrade(envoy: Envoy, signer: Signer, cookie: str) -> None:
    origin = f"http://127.0.0.1:{envoy.port}"
    assert refuse(envoy, origin=origin)[0] == 401
    forged = "proximity-auth-cookie=" + signer.sign(exp=1)
    assert refuse(envoy, origin=origin, cookie=forged)[0] == 401
    # The cookie of https does not count over http, nor the other way round.
    assert refuse(envoy, origin=origin, cookie=f"__Host-{cookie}")[0] == 401


def test_a_request_without_an_upgrade_is_refused(client: httpx.Client) -> None:
    answer = client.get(PATH)
    assert answer.status_code == 426
    assert answer.json()["error"] == "Here is a WebSocket; send Upgrade: websocket"
    assert client.post(PATH, json={}).status_code == 405
    assert client.get(PATH, headers={"upgrade": "h2c", "connection": "upgrade"}).status_code in {403, 426}


def test_unknown_parameters_are_refused(envoy: Envoy, cookie: str) -> None:
    origin = f"http://127.0.0.1:{envoy.port}"
    assert "known are columns, rows" in refuse(envoy, f"{PATH}?width=1", origin=origin, cookie=cookie)[1]
    assert refuse(envoy, f"{PATH}?rows=x", origin=origin, cookie=cookie)[0] == 400
    assert refuse(envoy, f"{PATH}?app_id=other", origin=origin, cookie=cookie)[0] == 400


@pytest.mark.parametrize("path", ["/api/apps", "/api/apps/web-1", "/api/health", "/api/apps//terminal", "/x"])
def test_nothing_else_is_upgraded(envoy: Envoy, cookie: str, path: str) -> None:
    assert refuse(envoy, path, origin=f"http://127.0.0.1:{envoy.port}", cookie=cookie)[0] >= 400


def test_http2_has_no_websockets(envoy: Envoy) -> None:
    """Browsers open them by HTTP/1.1 as long as HTTP/2 does not offer extended CONNECT."""
    pytest.importorskip("h2")
    with httpx.Client(http2=True, verify=False, timeout=10) as client:
        assert client.get(f"https://127.0.0.1:{envoy.port}{PATH}").status_code == 401
