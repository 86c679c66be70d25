"""What the apps in guests answer over HTTP."""

import html
import posixpath
from dataclasses import dataclass
from urllib.parse import unquote

from tests.pvesim.guest.filesystem import FileSystem, FsError

REASONS = {
    200: "OK",
    201: "Created",
    204: "No Content",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
}
DATA_PREFIX = "/_data/"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes = b""
    content_type: str = "text/html; charset=utf-8"

    def render(self, *, head: bool = False) -> bytes:
        """The response as it goes over the wire."""
        lines = (
            f"HTTP/1.1 {self.status} {REASONS.get(self.status, 'Unknown')}",
            f"Content-Type: {self.content_type}",
            f"Content-Length: {len(self.body)}",
            "Connection: close",
        )
        return ("\r\n".join(lines) + "\r\n\r\n").encode() + (b"" if head else self.body)


@dataclass(frozen=True, slots=True)
class App:
    """Who answers: an app's names, its data directory, its variables."""

    title: str
    image: str
    project: str
    service: str
    hostname: str
    data_dir: str
    variables: tuple[str, ...] = ()

    def answer(self, request: Request, fs: FileSystem) -> Response:
        """The app's answer; `/_data/<name>` reads and writes its data."""
        path = request.path.split("?", 1)[0]
        if path.startswith(DATA_PREFIX):
            return self._serve_data(request, unquote(path[len(DATA_PREFIX) :]), fs)
        if request.method not in ("GET", "HEAD"):
            return Response(405, b"method not allowed\n", "text/plain")
        if path == "/_env":
            return Response(
                200, "".join(f"{name}\n" for name in sorted(self.variables)).encode(), "text/plain"
            )
        return Response(200, self._page().encode())

    def _page(self) -> str:
        rows = (
            ("image", self.image),
            ("project", self.project),
            ("service", self.service),
            ("hostname", self.hostname),
        )
        shown = "".join(f"<dt>{name}</dt><dd>{html.escape(value)}</dd>" for name, value in rows if value)
        title = html.escape(self.title)
        return f"<!doctype html><html><head><title>{title}</title></head><body><h1>{title}</h1><dl>{shown}</dl></body></html>\n"

    def _serve_data(self, request: Request, name: str, fs: FileSystem) -> Response:
        path = posixpath.normpath(posixpath.join(self.data_dir, name))
        if not name or not path.startswith(self.data_dir + "/"):
            return Response(400, b"bad name\n", "text/plain")
        try:
            return self._change_data(request, path, fs)
        except FsError as error:
            return Response(404, f"{error}\n".encode(), "text/plain")

    def _change_data(self, request: Request, path: str, fs: FileSystem) -> Response:
        if request.method == "PUT":
            fs.make_dir(posixpath.dirname(path), parents=True)
            fs.write(path, request.body)
            return Response(201, b"", "text/plain")
        if request.method == "DELETE":
            fs.remove(path)
            return Response(204, b"", "text/plain")
        return Response(200, fs.read(path), "application/octet-stream")
