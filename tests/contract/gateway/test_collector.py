"""Traces reach a collector that speaks HTTPS alone, with a certificate of the system's authorities."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.settings import parse_collector
from tests.contract.gateway.certificates import Authority
from tests.contract.gateway.conftest import wait_until

PATHS: list[str] = []


class _Collector(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        PATHS.append(self.path)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature is the library's
        """Say nothing."""


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a collector; SSL_CERT_FILE names the authority that signed its certificate."""
    folder: Path = tmp_path_factory.mktemp("collector")
    authority = Authority(folder)
    issued = authority.issue("collector.example.org")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.chain, issued.key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(authority.chain))
        yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def options(collector: int) -> dict[str, Any]:
    return {"traces": parse_collector(f"https://127.0.0.1:{collector}/otlp")}


def test_spans_are_posted_over_tls_below_the_path_of_the_collector(anonymous: httpx.Client) -> None:
    def is_traced() -> bool:
        anonymous.get("/api/auth/.well-known/jwks.json")
        return bool(PATHS)

    wait_until(is_traced, seconds=60)
    assert set(PATHS) == {"/otlp/v1/traces"}
