"""Headers in both directions, foreign origins, odd paths, caches and compression."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest

from tests.contract.gateway.conftest import API_TOKEN
from tests.contract.gateway.envoy import Envoy
from tests.contract.gateway.refusals import check_error
from tests.contract.gateway.stub import Backend, Context, get_type

LIST_APPS = "/proximity.apps.v1.AppsService/ListApps"
ORIGIN = "https://app.example.org"


def answer_with(*metadata: tuple[str, str], **fields: Any) -> Any:
    async def answer(_request: Any, context: Context) -> Any:
        await context.send_initial_metadata(metadata)
        return get_type("proximity.apps.v1.ListAppsResponse")(**fields)

    return answer


def send_raw(envoy: Envoy, request: bytes) -> bytes:
    """Send bytes as they are and return the head of the answer."""
    with socket.create_connection(("127.0.0.1", envoy.port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer and (piece := connection.recv(65536)):
            answer += piece
    return answer


def test_forged_headers_do_not_arrive(client: httpx.Client, backend: Backend) -> None:
    forged = {
        "x-http-code": "204",
        "x-jwt-payload": "forged",
        "x-proximity-user": "forged",
        "x-envoy-original-path": "/forged",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-retry-on": "5xx",
        "x-forwarded-for": "6.6.6.6",
        "x-forwarded-host": "forged",
        "x-forwarded-proto": "https",
        "x-real-ip": "6.6.6.6",
        "forwarded": "for=6.6.6.6",
        "x-request-id": "forged",
        "forged-bin": "not base64",
    }
    assert client.get("/api/apps", headers=forged).status_code == 200
    metadata = backend.calls[-1].metadata
    assert metadata["x-forwarded-for"] == "127.0.0.1"
    assert metadata["x-forwarded-proto"] == "http"
    assert metadata["x-forwarded-host"] == client.base_url.netloc.decode()
    values = " ".join(value for name, value in metadata.items() if name in forged or name.startswith("x-"))
    assert "forged" not in values
    assert "6.6.6.6" not in values


def test_what_services_decide_by_arrives(client: httpx.Client, backend: Backend) -> None:
    headers = {
        "x-csrftoken": "abc",
        "origin": "https://other.example.org",
        "cookie": "csrftoken=abc; proximity-auth-cookie=x",
        "idempotency-key": "key-1",
        "if-none-match": '"v1"',
        "user-agent": "tests",
    }
    client.get("/api/apps", headers=headers)
    metadata = backend.calls[-1].metadata
    assert {name: metadata.get(name) for name in headers} == headers


def test_headers_of_an_answer_reach_the_client(client: httpx.Client, backend: Backend) -> None:
    sent = [
        ("location", "/api/apps/web-1"),
        ("retry-after", "5"),
        ("link", '</api/apps?page=2>; rel="next"'),
        ("x-total-count", "3"),
        ("deprecation", "@1767225600"),
        ("cache-control", "max-age=5"),
        ("set-cookie", "a=1; HttpOnly"),
        ("set-cookie", "b=2; Secure"),
    ]
    backend.answers[LIST_APPS] = answer_with(*sent)
    response = client.get("/api/apps")
    for name, value in sent[:-2]:
        assert response.headers[name] == value
    assert response.headers.get_list("set-cookie") == ["a=1; HttpOnly", "b=2; Secure"]


@pytest.mark.parametrize("status", ["201", "202"])
def test_services_choose_their_success(client: httpx.Client, backend: Backend, status: str) -> None:
    backend.answers[LIST_APPS] = answer_with(("x-http-code", status), total=7)
    response = client.get("/api/apps")
    assert (response.status_code, response.json()["total"]) == (int(status), 7)


@pytest.mark.parametrize("status", ["301", "302", "404", "500", "99", "abc", "2000"])
def test_services_cannot_choose_anything(client: httpx.Client, backend: Backend, status: str) -> None:
    backend.answers[LIST_APPS] = answer_with(("x-http-code", status))
    assert client.get("/api/apps").status_code == 200


def test_not_modified_has_no_body(client: httpx.Client, backend: Backend) -> None:
    backend.answers[LIST_APPS] = answer_with(("x-http-code", "304"), ("etag", '"v1"'), total=7)
    response = client.get("/api/apps", headers={"if-none-match": '"v1"'})
    assert (response.status_code, response.content) == (304, b"")
    assert response.headers["etag"] == '"v1"'
    assert "content-type" not in response.headers


def test_what_has_a_tag_may_be_kept_and_the_rest_not(client: httpx.Client, backend: Backend) -> None:
    backend.answers[LIST_APPS] = answer_with(("etag", '"v1"'))
    assert client.get("/api/apps").headers["cache-control"] == "private, no-cache"
    backend.answers[LIST_APPS] = answer_with()
    assert client.get("/api/apps").headers["cache-control"] == "no-store"


def test_long_answers_are_compressed(client: httpx.Client, backend: Backend) -> None:
    app = get_type("proximity.apps.v1.App")(id="web-1", name="n" * 5000)
    backend.answers[LIST_APPS] = answer_with(("etag", '"v1"'), apps=[app])
    response = client.get("/api/apps", headers={"accept-encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["etag"] == 'W/"v1"'
    assert response.json()["apps"][0]["name"] == "n" * 5000


@pytest.mark.parametrize("path", ["/api/apps", "/api/health", "/api/nope", "/api/docs"])
def test_security_headers_stand_on_every_answer(anonymous: httpx.Client, path: str) -> None:
    headers = anonymous.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe-eval" not in headers["content-security-policy"]
    assert headers["x-request-id"]
    assert "envoy" not in str(headers).lower()


def test_configured_origins_may_call(client: httpx.Client) -> None:
    preflight = {"origin": ORIGIN, "access-control-request-method": "POST"}
    response = client.options(
        "/api/apps", headers=preflight | {"access-control-request-headers": "x-csrftoken"}
    )
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert response.headers["access-control-allow-credentials"] == "true"
    assert "x-csrftoken" in response.headers["access-control-allow-headers"]
    answer = client.get("/api/apps", headers={"origin": ORIGIN})
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "location" in answer.headers["access-control-expose-headers"]
    refused = client.get("/api/nope", headers={"origin": ORIGIN})
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (404, ORIGIN)


@pytest.mark.parametrize(
    "origin", ["https://evil.example.org", "null", "http://app.example.org", f"{ORIGIN}.evil.org"]
)
def test_other_origins_may_not(client: httpx.Client, origin: str) -> None:
    preflight = {"origin": origin, "access-control-request-method": "POST"}
    response = client.options("/api/apps", headers=preflight)
    assert "access-control-allow-origin" not in response.headers
    assert response.status_code == 405
    assert "access-control-allow-origin" not in client.get("/api/apps", headers={"origin": origin}).headers


@pytest.mark.parametrize(
    "path", ["/api/apps/a%2Fb", "/api/apps/a%2fb", "/api/apps/a%5Cb", "/api/apps/..%2Fhosts"]
)
def test_hidden_slashes_are_refused(envoy: Envoy, backend: Backend, path: str) -> None:
    request = (
        f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {API_TOKEN}\r\nconnection: close\r\n\r\n"
    )
    assert send_raw(envoy, request.encode()).startswith(b"HTTP/1.1 400")
    assert not [call for call in backend.calls if call.path.startswith("/proximity.apps")]


@pytest.mark.parametrize("path", ["/api//apps", "/api/./apps", "/api/x/../apps", "//api/apps", "/api/apps//"])
def test_odd_spellings_are_the_plain_path(envoy: Envoy, backend: Backend, path: str) -> None:
    request = (
        f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {API_TOKEN}\r\nconnection: close\r\n\r\n"
    )
    assert send_raw(envoy, request.encode()).startswith(b"HTTP/1.1 200")
    assert backend.calls[-1].path == LIST_APPS


def test_normalizing_does_not_open_doors(envoy: Envoy, backend: Backend) -> None:
    request = "GET /api/health/../apps HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    assert send_raw(envoy, request.encode()).startswith(b"HTTP/1.1 401")
    assert not [call for call in backend.calls if call.path == LIST_APPS]


SMUGGLED = [
    b"GET /api/apps HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /api/apps HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ncontent-length: 5\r\n\r\nabcd",
    b"GET /api/apps HTTP/1.1\r\nhost: x\r\nx_http_code: 204\r\n\r\n",
    b"GET /api/apps HTTP/1.1\r\nhost : x\r\n\r\n",
    b"GET /api/apps HTTP/1.1\r\n\r\n",
    b"nonsense\r\n\r\n",
]


@pytest.mark.parametrize("line", ["CONNECT apps:50051", "TRACE /api/apps", "CONNECT /api/apps"])
def test_no_other_server_is_reached_through_us(envoy: Envoy, backend: Backend, line: str) -> None:
    request = f"{line} HTTP/1.1\r\nhost: apps:50051\r\nconnection: close\r\n\r\n"
    status = send_raw(envoy, request.encode()).split(b" ")[1]
    assert status in {b"400", b"403", b"404", b"405"}
    assert not [call for call in backend.calls if call.owner == "apps"]


@pytest.mark.parametrize("request_", SMUGGLED, ids=range(len(SMUGGLED)))
def test_ambiguous_requests_are_refused(envoy: Envoy, backend: Backend, request_: bytes) -> None:
    assert send_raw(envoy, request_).startswith(b"HTTP/1.1 400")
    assert not [call for call in backend.calls if call.path == LIST_APPS]


@pytest.mark.parametrize("encodings", [("chunked", "identity"), ("gzip",)])
def test_an_unknown_transfer_encoding_is_named(envoy: Envoy, encodings: tuple[str, ...]) -> None:
    lines = "".join(f"transfer-encoding: {one}\r\n" for one in encodings)
    answer = send_raw(envoy, f"POST /api/auth/login HTTP/1.1\r\nhost: x\r\n{lines}\r\n0\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 501")
    assert b"This transfer encoding is not possible here" in answer


def test_an_answer_too_large_is_an_error(client: httpx.Client, backend: Backend) -> None:
    async def answer(_request: Any, _context: Context) -> Any:
        app = get_type("proximity.apps.v1.App")(name="n" * 1_000_000)
        return get_type("proximity.apps.v1.ListAppsResponse")(apps=[app] * 20)

    backend.answers[LIST_APPS] = answer
    check_error(client.get("/api/apps"), 500, "INTERNAL")
    backend.answers[LIST_APPS] = answer_with(
        apps=[get_type("proximity.apps.v1.App")(name="n" * 1_000_000)] * 3
    )
    assert len(client.get("/api/apps").content) > 3_000_000


@pytest.mark.parametrize("name", ["a!b", "~x", "f`h", "06%t", "grpc-encoding", "grpc-timeout", "te", "5"])
def test_headers_that_grpc_does_not_know_do_no_harm(
    client: httpx.Client, backend: Backend, name: str
) -> None:
    assert client.get("/api/apps", headers={name: "wPL#vk2|"}).status_code == 200
    [call] = [call for call in backend.calls if call.path.endswith("ListApps")]
    assert name == "5" or call.metadata.get(name) != "wPL#vk2|"
