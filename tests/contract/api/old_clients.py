"""Clients as they were written for the system before this one."""

from __future__ import annotations

import time
import uuid
from typing import Any

import httpx

Json = dict[str, Any]
LIMIT_S = 300.0


class CookieClient:
    """The web page of the quick reference: signs in with dj-rest-auth's fields and lives on cookies."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(
            base_url=url, timeout=40, transport=httpx.HTTPTransport(local_address="127.20.0.2")
        )

    def send(self, method: str, path: str, body: Json | None = None, *, status: int = 200) -> Any:
        headers = {"X-CSRFToken": self.http.cookies.get("csrftoken") or ""} if method != "GET" else {}
        answer = self.http.request(method, path, json=body, headers=headers)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:400]}"
        return answer.json() if answer.content else None


class BearerClient:
    """The script of the API reference: signs in once and sends its token."""

    def __init__(self, url: str) -> None:
        self.http = httpx.Client(
            base_url=url, timeout=40, transport=httpx.HTTPTransport(local_address="127.20.0.3")
        )

    def send(self, method: str, path: str, body: Json | None = None, *, status: int = 200) -> Any:
        answer = self.http.request(method, path, json=body)
        self.http.cookies.clear()
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:400]}"
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return answer.json() if is_json else answer.text

    def sign_in(self, username: str, password: str) -> None:
        access = self.send("POST", "/api/auth/login", {"username": username, "password": password})["access"]
        self.http.headers["Authorization"] = f"Bearer {access}"


def wait_for(client: CookieClient | BearerClient, path: str, wanted: str) -> Json:
    deadline = time.monotonic() + LIMIT_S
    while True:
        found: Json = client.send("GET", path)
        if found["status"] == wanted:
            return found
        assert found["status"] != "error", found
        assert time.monotonic() < deadline, f"{path} is not {wanted} within {LIMIT_S:g} s: {found}"
        time.sleep(0.1)


def wait_until_gone(client: CookieClient | BearerClient, path: str) -> None:
    deadline = time.monotonic() + LIMIT_S
    while client.http.get(path).status_code != 404:
        assert time.monotonic() < deadline, f"{path} is still there after {LIMIT_S:g} s"
        time.sleep(0.1)


def make_name() -> str:
    return f"old-{uuid.uuid4().hex[:8]}"
