"""A web server of another origin than the gateway's, and a real browser on its pages."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: Any) -> None:
        """Write nothing: the tests' output is for failures."""


@contextmanager
def serve_pages(folder: Path) -> Iterator[str]:
    """Serve a folder, which may be filled later; yields the origin of its pages."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_QuietHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def render_call(settings: dict[str, str]) -> str:
    """Return the script with which a page takes its walk."""
    return f"window.walk({json.dumps(settings)})"
