"""The platform's REST API as the demonstration uses it."""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from requests.adapters import HTTPAdapter

TRANSIENT = {
    "deploying",
    "cloning",
    "adopting",
    "starting",
    "stopping",
    "restarting",
    "updating",
    "backing_up",
    "restoring",
    "removing",
}
_POLL_S = 0.15
_REQUEST_TIMEOUT_S = 35


class DemoError(Exception):
    """Something did not do what it should; the message says what."""


class SignInError(DemoError):
    """There is no such account, or its password is another."""


class Api:
    """A signed-in user.

    Args:
        url: of the gateway.
        certificate: of a gateway that speaks https; it alone is trusted, whatever its names.
    """

    def __init__(self, url: str, *, certificate: Path | None = None) -> None:
        self._url = f"{url}/api"
        self._session = open_session(url, certificate=certificate)

    def sign_in(self, username: str, password: str) -> dict[str, Any]:
        """Sign in and return the user.

        Raises:
            SignInError: name and password are not those of an account.
            DemoError: anything else.
        """
        body = {"username": username, "password": password}
        response = self._request("POST", "/auth/login", body)
        if response.status_code == HTTPStatus.UNAUTHORIZED:
            raise SignInError(f"{username} cannot sign in: {response.text.strip()[:500]}")
        answer = self._read(response, "POST", "/auth/login")
        self._session.cookies.clear()
        self.use_token(answer["access"])
        user: dict[str, Any] = answer["user"]
        return user

    def use_token(self, token: str) -> None:
        """Go on with an access token instead of signing in."""
        self._session.headers["Authorization"] = f"Bearer {token}"

    @property
    def token(self) -> str:
        """The access token of the signed-in user."""
        return str(self._session.headers["Authorization"]).removeprefix("Bearer ")

    def send(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, expect: int = 0
    ) -> dict[str, Any]:
        """Send one request and return what it answers.

        Args:
            method: of HTTP.
            path: below `/api`.
            body: sent as JSON.
            expect: the only status that is right; 0 means any below 300.

        Raises:
            DemoError: another status; the message carries the error that was answered.
        """
        return self._read(self._request(method, path, body), method, path, expect=expect)

    @staticmethod
    def _read(answer: requests.Response, method: str, path: str, *, expect: int = 0) -> dict[str, Any]:
        if answer.status_code != expect if expect else answer.status_code >= 300:
            raise DemoError(f"{method} {path} answered {answer.status_code}: {answer.text.strip()[:500]}")
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found

    def read_array(self, path: str) -> list[dict[str, Any]]:
        """Read what answers with a bare array.

        Raises:
            DemoError: it did not answer 200.
        """
        answer = self._request("GET", path, None)
        if answer.status_code != 200:
            raise DemoError(f"GET {path} answered {answer.status_code}: {answer.text.strip()[:500]}")
        found: list[dict[str, Any]] = answer.json()
        return found

    def _request(self, method: str, path: str, body: dict[str, Any] | None) -> requests.Response:
        try:
            return self._session.request(method, self._url + path, json=body, timeout=_REQUEST_TIMEOUT_S)
        except requests.RequestException as error:
            raise DemoError(f"{method} {path}: {error}") from error

    def wait_for_app(
        self, app_id: str, *, wanted: str, timeout: float, watch: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        """Follow an app's status until it rests and return the app.

        Args:
            app_id: which.
            wanted: the status in which it must come to rest; `gone` means that it is not found any more.
            timeout: seconds.
            watch: is shown every status on the way.

        Raises:
            DemoError: it came to rest in another status, or took too long.
        """
        deadline = time.monotonic() + timeout
        status: dict[str, Any] = {}
        while time.monotonic() < deadline:
            answer = self._request("GET", f"/apps/{app_id}/status", None)
            if answer.status_code == 404 and wanted == "gone":
                return {"id": app_id, "status": "gone"}
            if answer.status_code != 200:
                raise DemoError(
                    f"status of {app_id} answered {answer.status_code}: {answer.text.strip()[:500]}"
                )
            status = answer.json()
            watch(status)
            if status["status"] == wanted:
                app: dict[str, Any] = self.send("GET", f"/apps/{app_id}")
                return app
            if status["status"] not in TRANSIENT and wanted != "gone":
                raise DemoError(
                    f"{app_id} is {status['status']}, not {wanted}: {self.explain(app_id, status)}"
                )
            if status["status"] == "error":
                raise DemoError(f"{app_id} is in error: {self.explain(app_id, status)}")
            time.sleep(_POLL_S)
        raise DemoError(f"{app_id} is not {wanted} after {timeout:g} s: {status}")

    def explain(self, app_id: str, status: dict[str, Any]) -> str:
        """Say why an app failed: its error, or the last line of its log."""
        if status.get("error"):
            return str(status["error"])
        logs = self.send("GET", f"/apps/{app_id}/logs?limit=5")["logs"]
        return " / ".join(str(line["message"]) for line in logs) or "its log is empty"

    def wait_for_backup(self, app_id: str, backup_id: int, *, timeout: float) -> dict[str, Any]:
        """Wait until a backup is complete and return it.

        Raises:
            DemoError: it failed or took too long.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            backup: dict[str, Any] = self.send("GET", f"/apps/{app_id}/backups/{backup_id}")
            if backup["status"] == "completed":
                return backup
            if backup["status"] == "failed":
                raise DemoError(f"backup {backup_id} failed: {backup.get('error_message', '')}")
            time.sleep(_POLL_S)
        raise DemoError(f"backup {backup_id} is not complete after {timeout:g} s")


def read_page(url: str, *, timeout: float = 20) -> str:
    """Read a page of an app, which may need a moment after its start.

    Raises:
        DemoError: it did not answer 200 in time.
    """
    deadline = time.monotonic() + timeout
    problem = ""
    while time.monotonic() < deadline:
        try:
            answer = requests.get(url, timeout=5)
        except requests.RequestException as error:
            problem = str(error)
        else:
            if answer.status_code == 200:
                return answer.text
            problem = f"status {answer.status_code}"
        time.sleep(_POLL_S)
    raise DemoError(f"{url} does not answer: {problem}")


def write_page(url: str, text: str) -> None:
    """Put data into an app.

    Raises:
        DemoError: it was not taken.
    """
    try:
        answer = requests.put(url, data=text.encode(), timeout=10)
    except requests.RequestException as error:
        raise DemoError(f"PUT {url}: {error}") from error
    if answer.status_code not in {200, 201, 204}:
        raise DemoError(f"PUT {url} answered {answer.status_code}")


def open_session(url: str, *, certificate: Path | None = None) -> requests.Session:
    """Return a session for a gateway; where it speaks https, the first certificate of the PEM file alone is trusted."""
    session = requests.Session()
    if certificate and url.startswith("https://"):
        trusted = x509.load_pem_x509_certificate(certificate.read_bytes())
        session.mount("https://", PinnedAdapter(trusted.fingerprint(hashes.SHA256()).hex()))
    return session


class PinnedAdapter(HTTPAdapter):
    """Trusts the one certificate with a SHA-256 fingerprint, whatever its issuer.

    Args:
        fingerprint: hexadecimal, with or without colons.
    """

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint.replace(":", "").lower()
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401, D102 - as the base class has it
        super().init_poolmanager(*args, **kwargs, assert_fingerprint=self._fingerprint)

    def cert_verify(self, conn: Any, *_args: Any, **_kwargs: Any) -> None:  # noqa: ANN401, D102 - as the base class has it
        conn.cert_reqs = "CERT_NONE"  # the fingerprint decides
