"""An HTTPS server that answers every request as the test says."""

from __future__ import annotations

import contextlib
import socketserver
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread

from tests.pvesim.tls import ensure_certificate


@dataclass(frozen=True)
class Request:
    """What was asked."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What is answered."""

    body: bytes = b""
    status: int = 200
    reason: str = "OK"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class WebServer:
    """Its address, what it answers, and what it was asked."""

    port: int
    fingerprint: str
    answer: Callable[[Request], Reply]
    requests: list[Request] = field(default_factory=list)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up, as one that reads no more than it must, is no fault."""


@contextlib.contextmanager
def serve_web(folder: Path, answer: Callable[[Request], Reply]) -> Iterator[WebServer]:
    """Serve until the block ends; `answer` may be exchanged meanwhile."""
    context, fingerprint = ensure_certificate(folder, ["pve"])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            request = Request(self.command, self.path, dict(self.headers), self.rfile.read(length))
            web.requests.append(request)
            reply = web.answer(request)
            self.send_response(reply.status, reply.reason)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Say nothing."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        web = WebServer(server.server_address[1], fingerprint, answer)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join(5)
