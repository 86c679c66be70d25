"""WebSockets that carry a bidirectional RPC to browsers, behind the gateway.

Binary frames carry the bytes, text frames everything else as JSON: `{"columns": 80, "rows": 24}` to the service,
`{"type": "attached"}`, `{"type": "exit", "status": 0}` and `{"type": "error", "code": "ABORTED", "error": "…"}` from
it. Scripts of a page cannot slow a WebSocket down: `{"paused": true}` has the service send nothing until
`{"paused": false}`. An RPC is described by a `Dialect`. A refusal closes with 4000 plus the HTTP status that REST would
give. This is a transport beside gRPC: it runs the duplex handler that the server gives it, and knows no app.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from proximity.common.v1 import access_pb2
from websockets.asyncio.server import ServerConnection, serve, unix_serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.common.rpc.call import Call
from services.common.rpc.client import find_peer_name
from services.common.rpc.handlers import Duplex
from services.common.rpc.server_context import Peers, drop_forwarded
from services.common.rpc.status import InternalError, code_of, name_code

log = get_logger()

PING_S = 20.0  # proxies on the way close connections that are idle for 60 s, some for 30 s
_PONG_S = 20.0  # a browser that sleeps answers no ping
MOST_BYTES = 64 * 1024  # of one frame of a client: what is pasted is longer than that only by mistake
_MOST_FRAMES = 32  # of a client that wait, 2 MiB at most; then its sending is slowed down
_MOST_UNSENT = 256 * 1024  # bytes that wait for a client; then the RPC waits
_CLOSE_S = 2.0  # for the handshake of closing
_PAUSE, _RESUME = '{"paused":true}', '{"paused":false}'
_NORMAL, _APPLICATION = 1000, 4000
_STATUSES = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}


class Dialect(Protocol):
    """Messages of one RPC as frames."""

    def parse_opening(self, subject: str, query: dict[str, str]) -> Message:
        """Return the first message, for the variable of the path; raises InvalidError."""

    def parse_frame(self, frame: bytes | str) -> Message:
        """Return the message of a frame; raises InvalidError."""

    def render_frames(self, message: Any, *, is_first: bool) -> list[bytes | str]:
        """Return the frames of an answer."""


@dataclass(frozen=True, kw_only=True)
class WebSocketServer:
    """Serves one RPC by WebSockets to the gateway.

    Attributes:
        listen: host:port or unix:/path.
        method: the RPC, whose options name the path.
        duplex: its handler.
        dialect: its messages as frames.
        peers: identification of the peers that are allowed to connect.
        tls_dir: with ca.crt and the certificate of `service`: only the gateway's is accepted; None speaks plain text.
    """

    listen: str
    method: MethodDescriptor
    duplex: Duplex
    dialect: Dialect
    peers: Peers
    service: str
    tls_dir: Path | None = None

    async def run(self) -> None:
        """Serve until cancelled; then clients get the code of a server that goes away."""
        async with await self._serve():
            await asyncio.Event().wait()

    def _serve(self) -> Any:
        options: dict[str, Any] = {
            "process_request": self._admit,
            "compression": None,
            "ping_interval": PING_S,
            "ping_timeout": _PONG_S,
            "close_timeout": _CLOSE_S,
            "max_size": MOST_BYTES,
            "max_queue": 4,
            "write_limit": _MOST_UNSENT,
            "server_header": None,
            "ssl": _make_context(self.tls_dir, self.service) if self.tls_dir else None,
        }
        if self.listen.startswith("unix:"):
            path = self.listen.removeprefix("unix:")
            Path(path).unlink(missing_ok=True)  # of a process that was killed
            return unix_serve(self._talk, path, **options)
        host, _, port = self.listen.rpartition(":")
        return serve(self._talk, host.strip("[]"), int(port), **options)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse peers other than the gateway, and other paths."""
        name, peer = self._find_peer(connection)
        if not self.peers.is_gateway(name, peer):
            return _refuse(HTTPStatus.FORBIDDEN, "only the gateway may connect")
        if self._find_subject(request) is None:
            return _refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
        return None

    def _find_peer(self, connection: ServerConnection) -> tuple[str, str]:
        """Return the name in a peer's certificate, and its address as gRPC writes it."""
        transport = connection.transport
        certificate = transport.get_extra_info("peercert") or {}
        names = [value.encode() for kind, value in certificate.get("subjectAltName", ()) if kind == "DNS"]
        address = transport.get_extra_info("peername")
        if not isinstance(address, tuple):
            return find_peer_name({"x509_subject_alternative_name": names}), "unix:"
        kind = "ipv6" if ":" in address[0] else "ipv4"
        host = f"[{address[0]}]" if kind == "ipv6" else address[0]
        return find_peer_name({"x509_subject_alternative_name": names}), f"{kind}:{host}:{address[1]}"

    def _find_subject(self, request: Request) -> str | None:
        given = urlsplit(request.path).path.rstrip("/").split("/")
        wanted = self.method.GetOptions().Extensions[access_pb2.rpc].websocket.split("/")
        if len(given) != len(wanted):
            return None
        subject = ""
        for part, template in zip(given, wanted, strict=True):
            if template.startswith("{"):
                subject = unquote(part)
            elif part != template:
                return None
        return subject

    async def _talk(self, socket: ServerConnection) -> None:
        answering = asyncio.ensure_future(self._answer(socket))
        closed = asyncio.ensure_future(socket.wait_closed())
        try:
            await asyncio.wait((answering, closed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            closed.cancel()
            answering.cancel()
            await asyncio.gather(answering, return_exceptions=True)

    async def _answer(self, socket: ServerConnection) -> None:
        call = self._make_call(socket)
        may_send = asyncio.Event()
        may_send.set()
        frames: asyncio.Queue[bytes | str] = asyncio.Queue(_MOST_FRAMES)
        receiving = asyncio.ensure_future(_receive(socket, frames, may_send=may_send))
        try:
            async with aclosing(self.duplex.run(call, self._read(socket, frames))) as answers:
                await self._send(socket, answers, may_send=may_send)
            await socket.close(_NORMAL)
        except DomainError as refusal:
            code = name_code(code_of(refusal))
            sentence = "Internal error" if isinstance(refusal, InternalError) else refusal.message
            shown = {"type": "error", "code": code, "reason": refusal.reason, "error": sentence}
            try:
                await socket.send(json.dumps(shown))
                await socket.close(_APPLICATION + _STATUSES.get(code, 500), code)
            except ConnectionClosed:
                return
        except ConnectionClosed:
            return
        finally:
            receiving.cancel()

    async def _send(
        self, socket: ServerConnection, answers: AsyncGenerator[Message, None], *, may_send: asyncio.Event
    ) -> None:
        is_first = True
        async for message in answers:
            await may_send.wait()
            for frame in self.dialect.render_frames(message, is_first=is_first):
                await socket.send(frame)
            is_first = False

    async def _read(
        self, socket: ServerConnection, frames: asyncio.Queue[bytes | str]
    ) -> AsyncIterator[Message]:
        """Yield the messages of a client, for ever: one who closes ends the call."""
        request = socket.request
        assert request is not None
        query = dict(parse_qsl(urlsplit(request.path).query, keep_blank_values=True))
        yield self.dialect.parse_opening(self._find_subject(request) or "", query)
        while True:
            yield self.dialect.parse_frame(await frames.get())

    def _make_call(self, socket: ServerConnection) -> Call:
        assert socket.request is not None
        name, peer = self._find_peer(socket)
        metadata = _read_metadata(socket.request.headers)
        if not self.peers.is_gateway(name, peer):
            metadata = drop_forwarded(metadata)
        rpc = f"/{self.method.containing_service.full_name}/{self.method.name}"
        return Call(rpc, metadata, peer=peer, peer_name=name, is_websocket=True)


async def _receive(
    socket: ServerConnection, frames: asyncio.Queue[bytes | str], *, may_send: asyncio.Event
) -> None:
    """Queue the frames of a client. Pauses count at once, also while the RPC reads nothing because it cannot write."""
    with contextlib.suppress(ConnectionClosed):
        async for frame in socket:
            if frame == _PAUSE:
                may_send.clear()
            elif frame == _RESUME:
                may_send.set()
            else:
                await frames.put(frame)


def _read_metadata(headers: Headers) -> dict[str, str]:
    metadata: dict[str, str] = {}
    for name, value in headers.raw_items():
        key = name.lower()
        metadata[key] = f"{metadata[key]}; {value}" if key == "cookie" and key in metadata else value
    return metadata


def _refuse(status: HTTPStatus, sentence: str) -> Response:
    body = f"{sentence}\n".encode()
    headers = Headers({"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(body))})
    return Response(status.value, status.phrase, headers, body)


def _make_context(tls_dir: Path, service: str) -> ssl.SSLContext:
    """Mutual TLS: clients show a certificate of the authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(tls_dir / "ca.crt"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(tls_dir / f"{service}.crt", tls_dir / f"{service}.key")
    return context
