# Copyright: the Proximity authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""REST client of a Proximity platform that needs nothing beyond Python's standard library."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import ssl
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

MAX_ATTEMPTS = 5  # of one request: about 15 s of outage with the delays below
MAX_RETRY_DELAY_S = 30.0  # a server that asks for more gets its error reported instead
FIRST_RETRY_DELAY_S = 1.0  # doubled for each attempt: a restarted service is back within seconds
USER_AGENT = "ansible proximity.platform"  # as the list of sessions shows it
PAGE_SIZE = 100  # the largest that lists allow
_TRY_AGAIN = (429, 502, 503, 504)


class ClientError(Exception):
    """The platform cannot be reached, is not trusted, or gave an answer that is not its API's."""


class ApiError(ClientError):
    """An error answer of the API.

    Args:
        request: method and path, for the message.
        status: of HTTP.
        body: of the answer: `error`, `code` and `details`.
    """

    def __init__(self, request: str, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(body.get("code", ""))
        self.details = list(body.get("details", []))
        super().__init__(f"{request}: {body.get('error', 'no reason given')} ({status} {self.code})")


@dataclass(frozen=True)
class Connection:
    """Address, trust and credentials; either `api_token`, or `username` and `password`."""

    url: str
    api_token: str | None = field(default=None, repr=False)
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    fingerprint: str | None = None
    request_timeout: float = 30.0


class Client:
    """Client of the REST API. It signs in with the first request if it has a user name.

    Every POST carries an `Idempotency-Key`, so that requests can be repeated after a broken connection.

    Args:
        connection: address and credentials.

    Raises:
        ClientError: the settings of the connection are unusable.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        parts = urlsplit(connection.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ClientError(
                f"url: {connection.url!r} is not the address of a platform; use https://HOST:PORT"
            )
        if parts.path not in ("", "/", "/api", "/api/"):
            raise ClientError(f"url: {connection.url!r} has a path; give only scheme, host and port")
        self._scheme, self._host = parts.scheme, parts.hostname
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._pin = _parse_fingerprint(connection.fingerprint)
        if parts.scheme == "http" and (self._pin or connection.ca_file):
            raise ClientError(
                f"url: {connection.url!r} is not encrypted, so ca_file and fingerprint are useless"
            )
        self._tls = (
            _make_tls(connection.ca_file, pinned=self._pin is not None) if parts.scheme == "https" else None
        )
        self._access = connection.api_token or ""
        self._refresh = ""

    @property
    def is_exposed(self) -> bool:
        """Whether credentials cross a network unencrypted."""
        return self._scheme == "http" and self._host not in ("localhost", "127.0.0.1", "::1")

    def get(self, path: str, **query: object) -> Any:  # noqa: ANN401 - any JSON
        """Return the body of a GET below `/api`."""
        return self.request("GET", path, query=query)

    def find(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """Return the body of a GET below `/api`, or None if there is no such thing."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def iterate(self, path: str, key: str, **query: object) -> Iterator[dict[str, Any]]:
        """Iterate over a list that comes in pages, each object under `key`."""
        page, seen = 1, 0
        while True:
            answer = self.get(path, page=page, per_page=PAGE_SIZE, **query)
            yield from answer[key]
            seen += len(answer[key])
            if not answer[key] or seen >= answer.get("total", 0):
                return
            page += 1

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, object] | None = None,
    ) -> Any:  # noqa: ANN401 - any JSON
        """Send one request and return the JSON of the answer, None where it is empty.

        A busy or absent platform is tried again with growing delays, MAX_ATTEMPTS times at most.

        Raises:
            ApiError: the API refused.
            ClientError: no usable answer.
        """
        if not self._access and self._connection.username:
            self._sign_in()
        headers = {"Authorization": f"Bearer {self._access}"} if self._access else {}
        return self._send(method, path, body, query=query or {}, headers=headers)

    def close(self) -> None:
        """End the session that the client began; an API token stays valid."""
        if not self._refresh:
            return
        refresh, self._refresh = self._refresh, ""
        with contextlib.suppress(ClientError):  # the session ends by itself, and the work is done
            self.request("POST", "/auth/logout", body={"refresh": refresh})
        self._access = ""

    def _sign_in(self) -> None:
        credentials = {"username": self._connection.username, "password": self._connection.password}
        answer = self._send("POST", "/auth/login", credentials, query={}, headers={})
        self._access, self._refresh = answer["access"], answer["refresh"]

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        *,
        query: Mapping[str, object],
        headers: Mapping[str, str],
    ) -> Any:  # noqa: ANN401 - any JSON
        chosen = {name: value for name, value in query.items() if value is not None}
        target = f"/api{path}" + (f"?{urlencode(chosen)}" if chosen else "")
        sent = {"Accept": "application/json", "User-Agent": USER_AGENT, **headers}
        if method == "POST":
            sent["Idempotency-Key"] = str(uuid.uuid4())
        if body is not None:
            sent["Content-Type"] = "application/json"
        payload = None if body is None else json.dumps(body).encode()
        delay = FIRST_RETRY_DELAY_S
        for attempt in range(1, MAX_ATTEMPTS + 1):
            try:
                status, retry_after, content = self._exchange(method, target, payload, sent)
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, ssl.SSLError) or attempt == MAX_ATTEMPTS:
                    raise ClientError(f"{self._connection.url} cannot be reached: {error}") from error
            else:
                delay = max(delay, retry_after)
                if status not in _TRY_AGAIN or attempt == MAX_ATTEMPTS or delay > MAX_RETRY_DELAY_S:
                    return _read(f"{method} {path}", status, content)
            time.sleep(delay)
            delay *= 2
        raise AssertionError("the last attempt returns or raises")

    def _exchange(
        self, method: str, target: str, payload: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, float, bytes]:
        timeout = self._connection.request_timeout
        link: http.client.HTTPConnection
        if self._tls is None:
            link = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        else:
            link = http.client.HTTPSConnection(self._host, self._port, timeout=timeout, context=self._tls)
        try:
            link.connect()
            self._check_pin(link)
            link.request(method, target, payload, dict(headers))
            answer = link.getresponse()
            after = answer.headers.get("Retry-After", "")
            return answer.status, float(after) if after.isdigit() else 0.0, answer.read()
        finally:
            link.close()

    def _check_pin(self, link: http.client.HTTPConnection) -> None:
        """Compare the certificate with the pinned one, before any credentials are sent."""
        if self._pin is None or not isinstance(link.sock, ssl.SSLSocket):
            return
        found = hashlib.sha256(link.sock.getpeercert(binary_form=True) or b"").hexdigest()
        if found != self._pin:
            raise ClientError(
                f"fingerprint: the certificate of {self._connection.url} has the SHA-256 fingerprint {found}, not {self._pin}"
            )


def escape(value: object) -> str:
    """Escape a value as one segment of a path."""
    return quote(str(value), safe="")


def _read(request: str, status: int, content: bytes) -> Any:  # noqa: ANN401 - any JSON
    try:
        body = json.loads(content) if content else None
    except ValueError as error:
        raise ClientError(
            f"{request}: the answer is no JSON ({status}); is url that of Proximity?"
        ) from error
    if status >= 400:
        raise ApiError(request, status, body if isinstance(body, dict) else {})
    return body


def _parse_fingerprint(value: str | None) -> str | None:
    if not value:
        return None
    plain = value.replace(":", "").lower()
    if len(plain) != 64 or set(plain) - set("0123456789abcdef"):
        raise ClientError(f"fingerprint: {value!r} is not a SHA-256 fingerprint of 64 hexadecimal digits")
    return plain


def _make_tls(ca_file: str | None, *, pinned: bool) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise ClientError(f"ca_file: {ca_file!r} cannot be used: {error}") from error
    if pinned:  # the fingerprint decides, whatever the name and the issuer
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
