"""Accounts that send requests to the API, made when they are first named."""

from __future__ import annotations

import time
import uuid
from typing import Any

import httpx

from services.common.rpc.interceptors.authorization import RECENT_S
from tests.e2e.stack import PASSWORD, USERNAME, RunningStack

PHRASE = "a-Long-phrase-77"
LIMIT_S = 300.0
# Limits count by address; what the cases do here is on nobody else's account.
ADDRESS = "127.20.0.1"
Json = dict[str, Any]


class Callers:
    """Everybody who calls: by name, or an account that was made for one request."""

    def __init__(self, stack: RunningStack) -> None:
        self.stack = stack
        self.http = httpx.Client(
            base_url=stack.url, timeout=40, transport=httpx.HTTPTransport(local_address=ADDRESS)
        )
        self._access: dict[str, str] = {}
        self._authenticated: dict[str, float] = {}  # by caller, monotonic seconds

    def close(self) -> None:
        """End the connections."""
        self.http.close()

    def find_access(self, caller: str | Json) -> str:
        """The access token of a caller: a name, or an account that `spare_user` made."""
        if not isinstance(caller, str):
            return str(caller["access"])
        if caller not in self._access:
            made = self._sign_in() if caller == "admin" else self.register(caller)
            self._access[caller] = made["access"]
            self._authenticated[caller] = time.monotonic()
        if (
            time.monotonic() - self._authenticated[caller] > RECENT_S / 2
        ):  # the suite may take longer than that
            self._access[caller] = self._step_up(caller)
            self._authenticated[caller] = time.monotonic()
        return self._access[caller]

    def _step_up(self, caller: str) -> str:
        body = {"password": PASSWORD if caller == "admin" else PHRASE}
        headers = {"Authorization": f"Bearer {self._access[caller]}"}
        answer = self.http.post("/api/auth/step-up", json=body, headers=headers)
        return str(read_object(answer, 200)["access"])

    def _sign_in(self) -> Json:
        answer = self.http.post("/api/auth/login", json={"username": USERNAME, "password": PASSWORD})
        self.http.cookies.clear()
        return read_object(answer, 200)

    def register(self, name: str) -> Json:
        """Make an account and return its session."""
        body = {"username": f"{name}-{uuid.uuid4().hex[:6]}", "password": PHRASE}
        for _ in range(10):  # registrations of an address are limited, and the suite makes many accounts
            answer = self.http.post("/api/auth/registration", json=body)
            if answer.status_code != 429:
                break
            time.sleep(float(answer.headers["retry-after"]))
        self.http.cookies.clear()
        return read_object(answer, 201)

    def send(
        self,
        method: str,
        path: str,
        *,
        caller: str | Json = "anonymous",
        via: str = "bearer",
        headers: dict[str, str] | None = None,
        **rest: Any,
    ) -> httpx.Response:
        """Send a request; `via` is how its sender proves who it is."""
        credentials: dict[str, str] = {}
        if caller != "anonymous":
            access = self.find_access(caller)
            credentials = {"Authorization": f"Bearer {access}"}
            if via == "cookie":
                credentials = {
                    "Cookie": f"proximity-auth-cookie={access}; csrftoken=t",
                    "X-CSRFToken": "t",
                }
        answer = self.http.request(method, path, headers=credentials | (headers or {}), **rest)
        self.http.cookies.clear()
        return answer

    def ask(self, path: str, *, caller: str | Json = "admin") -> Any:
        """Read what must be there."""
        return read(self.send("GET", path, caller=caller), 200)


def read(answer: httpx.Response, status: int) -> Any:
    """The JSON of an answer that has this status."""
    assert answer.status_code == status, f"{answer.request.method} {answer.request.url}: {answer.text[:500]}"
    return answer.json()


def read_object(answer: httpx.Response, status: int) -> Json:
    """The same, of an object."""
    found = read(answer, status)
    assert isinstance(found, dict)
    return found
