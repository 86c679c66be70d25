"""The REST client of the Ansible collection against a server that answers as a platform under stress does."""

from __future__ import annotations

import importlib.util
import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).parents[3] / "clients/ansible/proximity.platform/plugins/module_utils/client.py"


def load_client() -> Any:
    """Load the module by its file: its package exists only where the collection is installed."""
    spec = importlib.util.spec_from_file_location("ansible_client_under_test", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


client = load_client()


class Server(ThreadingHTTPServer):
    """Answers requests in the given order: status, headers and body; None closes the connection."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, dict[str, str], Any] | None] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.command, self.path, dict(self.headers)))
        answer = self.server.answers.pop(0)
        if answer is None:
            self.close_connection = True
            return
        status, headers, body = answer
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(client.time, "sleep", lambda _: None)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def connect(server: Server, **settings: Any) -> Any:
    url = f"http://127.0.0.1:{server.server_port}"
    return client.Client(client.Connection(url=url, **{"api_token": "t", **settings}))


def test_a_busy_platform_is_asked_again_with_the_same_key(server: Server) -> None:
    server.answers = [
        (503, {}, {"error": "starting"}),
        None,
        (429, {"Retry-After": "2"}, {}),
        (201, {}, {"id": 1}),
    ]
    assert connect(server).request("POST", "/apps", body={"hostname": "web-01"}) == {"id": 1}
    keys = {headers["Idempotency-Key"] for _, _, headers in server.requests}
    assert (len(server.requests), len(keys)) == (4, 1)


def test_a_platform_that_stays_busy_is_reported(server: Server) -> None:
    server.answers = [(503, {}, {"error": "no node is online", "code": "UNAVAILABLE"})] * client.MAX_ATTEMPTS
    with pytest.raises(client.ApiError, match="no node is online") as caught:
        connect(server).get("/apps")
    assert (caught.value.status, caught.value.code, server.answers) == (503, "UNAVAILABLE", [])


def test_a_long_ban_is_not_waited_for(server: Server) -> None:
    server.answers = [(429, {"Retry-After": "600"}, {"error": "too many failures"})]
    with pytest.raises(client.ApiError, match="too many failures"):
        connect(server).get("/apps")


def test_a_refusal_is_not_repeated(server: Server) -> None:
    server.answers = [(409, {}, {"error": "busy"}), (404, {}, {"error": "none"})]
    with pytest.raises(client.ApiError, match="busy"):
        connect(server).request("DELETE", "/apps/a")
    assert connect(server).find("/apps/a") is None


def test_a_password_signs_in_once_and_out_at_the_end(server: Server) -> None:
    server.answers = [
        (200, {}, {"access": "acc", "refresh": "ref"}),
        (200, {}, []),
        (200, {}, []),
        (200, {}, {}),
    ]
    session = connect(server, api_token=None, username="ann", password="secret")
    session.get("/proxmox/hosts")
    session.get("/proxmox/hosts")
    session.close()
    session.close()
    paths = [path for _, path, _ in server.requests]
    assert paths == ["/api/auth/login", "/api/proxmox/hosts", "/api/proxmox/hosts", "/api/auth/logout"]
    assert server.requests[1][2]["Authorization"] == "Bearer acc"
    assert {headers["User-Agent"] for _, _, headers in server.requests} == {client.USER_AGENT}


def test_pages_are_read_to_the_end(server: Server) -> None:
    server.answers = [(200, {}, {"apps": [{"id": n}], "total": 2}) for n in (1, 2)]
    assert [app["id"] for app in connect(server).iterate("/apps", "apps", search="a b")] == [1, 2]
    assert server.requests[1][1] == "/api/apps?page=2&per_page=100&search=a+b"


def test_an_answer_of_something_else_is_named(server: Server) -> None:
    server.answers = [(200, {}, b"<html>")]
    with pytest.raises(client.ClientError, match="is url that of Proximity"):
        connect(server).get("/apps")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"url": "proximity.example.org"}, "use https://HOST:PORT"),
        ({"url": "https://proximity.example.org/apps"}, "has a path"),
        ({"url": "https://proximity.example.org", "fingerprint": "ab:cd"}, "64 hexadecimal digits"),
        ({"url": "https://proximity.example.org", "ca_file": "/none.pem"}, "ca_file: '/none.pem'"),
        ({"url": "http://proximity.example.org", "fingerprint": "a" * 64}, "is not encrypted"),
    ],
)
def test_unusable_settings_name_their_field(settings: dict[str, str], message: str) -> None:
    with pytest.raises(client.ClientError, match=message):
        client.Client(client.Connection(**settings))


def test_credentials_are_not_shown() -> None:
    shown = repr(client.Connection(url="https://a", api_token="tok-77", password="pw-77"))
    assert "77" not in shown
