"""Programs that take what the platform reports, as a collector of traces and a Sentry would."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class TraceSink:
    """Takes spans by OTLP over HTTP. `spans` are (service, span)."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []

    def take(self, body: bytes) -> bytes:
        """Keep the spans of one export."""
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            names = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(names["service.name"], span) for span in scope.spans]
        return ExportTraceServiceResponse().SerializeToString()

    def list_trace(self, trace_id: str) -> list[tuple[str, Span]]:
        """The spans of one trace."""
        return [(service, span) for service, span in self.spans if span.trace_id.hex() == trace_id]


class SentrySink:
    """Takes envelopes of Sentry's protocol. `events` are the errors reported."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.raw = b""

    def take(self, body: bytes) -> bytes:
        """Keep the events of one envelope."""
        self.raw += body
        lines = body.split(b"\n")
        for header, payload in zip(lines[1::2], lines[2::2], strict=False):
            if header and json.loads(header).get("type") == "event":
                self.events.append(json.loads(payload))
        return b"{}"


@contextmanager
def serve_sink(sink: TraceSink | SentrySink) -> Iterator[int]:
    """Serve a sink on a free port of the loopback until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self._read()
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            answer = sink.take(body)
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def _read(self) -> bytes:
            if self.headers.get("transfer-encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("content-length", 0)))
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base names it
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
