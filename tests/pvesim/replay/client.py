"""A plain HTTPS client that sends paths as they are, and the program it talks to."""

import http.client
import json
import select
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

PREFIX = "/api2/json"
START_SECONDS = 90


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, reason, and the body: JSON where it is JSON, text otherwise, None when empty."""

    status: int
    reason: str
    body: Any

    @property
    def data(self) -> Any:
        return self.body.get("data") if isinstance(self.body, dict) else None


class Client:
    """Talks to one server, each request on a connection of its own."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.ready = ready
        self._context = ssl.create_default_context()
        self._context.check_hostname = False
        self._context.verify_mode = ssl.CERT_NONE

    def send(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, body: str | None = None
    ) -> Answer:
        """One request with exactly this path, headers and body."""
        connection = http.client.HTTPSConnection(
            self.ready["host"], self.ready["port"], context=self._context, timeout=30
        )
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            raw = body.encode() if body is not None else b""
            for key, value in {**(headers or {}), "Content-Length": str(len(raw))}.items():
                connection.putheader(key, value)
            connection.endheaders(raw)
            response = connection.getresponse()
            return Answer(response.status, response.reason, _parse(response.read()))
        finally:
            connection.close()

    def call(
        self,
        method: str,
        path: str,
        params: dict[str, Any] | None = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """An API call: GET and DELETE with a query, POST and PUT with a form."""
        form = urlencode({key: str(value) for key, value in (params or {}).items()})
        if method in {"GET", "DELETE", "HEAD"}:
            return self.send(method, f"{PREFIX}{path}" + (f"?{form}" if form else ""), headers=headers)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.send(method, f"{PREFIX}{path}", headers={**kind, **(headers or {})}, body=form)

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """A call of /_sim."""
        text = json.dumps(body) if body is not None else None
        answer = self.send(method, f"/_sim{path}", body=text, headers={"Content-Type": "application/json"})
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"{method} /_sim{path}: {answer.status} {answer.body}")
        return answer.body

    def wait_task(self, upid: str, headers: dict[str, str], *, limit: float = 20) -> dict[str, Any]:
        """The final status of a task."""
        node = upid.split(":")[1]
        end = time.monotonic() + limit
        while time.monotonic() < end:
            answer = self.call("GET", f"/nodes/{node}/tasks/{upid}/status", headers=headers)
            if answer.status != http.HTTPStatus.OK or answer.data["status"] == "stopped":
                return dict(answer.body or {})
            time.sleep(0.01)
        raise TimeoutError(f"task {upid} still runs after {limit} s")


def _parse(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")


@contextmanager
def run_simulator(folder: Path, *options: str) -> Iterator[Client]:
    """Start the program on free ports, and end it."""
    command = [sys.executable, "-m", "tests.pvesim", "--state-dir", str(folder), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if not select.select([process.stdout], [], [], START_SECONDS)[0]:
                raise TimeoutError(f"the simulator was not ready within {START_SECONDS} s")
            yield Client(json.loads(process.stdout.readline()))
        finally:
            process.terminate()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
