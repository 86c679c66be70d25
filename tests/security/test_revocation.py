"""Signing out, a new password and a deactivation take effect in every service at once, without NATS too."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import psutil
import pytest
import requests

from deploy.local.api import Api
from tests.e2e.stack import RunningStack
from tests.security.principals import GOOD_PASSWORD, make_api_token, register, sign_in

# One path of each service, for anybody who is signed in.
PATHS = ("/auth/user", "/proxmox/nodes", "/apps", "/apps/none/backups", "/catalog/categories")
LIMIT_S = 120.0  # tokens live 15 minutes: within it, it was the revocation; an idle machine takes 0.1 s
JSON = dict[str, object]


def ask(stack: RunningStack, path: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{stack.url}/api{path}", headers=headers, timeout=10).status_code


def list_admitting(stack: RunningStack, token: str) -> list[str]:
    """The paths that still answer this token."""
    return [path for path in PATHS if ask(stack, path, token) != 401]


def wait_until_refused(stack: RunningStack, token: str) -> list[str]:
    """The paths that still admit a token when the time is over."""
    deadline = time.monotonic() + LIMIT_S
    while (left := list_admitting(stack, token)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def send(stack: RunningStack, method: str, path: str, *, token: str, body: JSON) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.request(method, f"{stack.url}/api{path}", json=body, headers=headers, timeout=20)
    assert answer.status_code < 300, answer.text


def log_out(stack: RunningStack, session: JSON) -> None:
    body: JSON = {"refresh": session["refresh"]}
    send(stack, "POST", "/auth/logout", token=str(session["access"]), body=body)


def change_password(stack: RunningStack, session: JSON) -> None:
    """From another session."""
    user = session["user"]
    assert isinstance(user, dict)
    other = sign_in(stack, user["username"], GOOD_PASSWORD)
    body: JSON = {"old_password": GOOD_PASSWORD, "new_password": "another-Long-phrase-78"}
    send(stack, "POST", "/auth/password/change", token=other["access"], body=body)
    assert list_admitting(stack, other["access"]) == list(PATHS)


def deactivate(stack: RunningStack, session: JSON) -> None:
    user = session["user"]
    assert isinstance(user, dict)
    stack.sign_in().send("PATCH", f"/auth/users/{user['id']}", {"is_active": False})


@pytest.mark.parametrize("end", [log_out, change_password, deactivate])
def test_what_ends_a_session_ends_it_everywhere(
    stack: RunningStack, end: Callable[[RunningStack, JSON], None]
) -> None:
    session, _ = register(stack)
    assert list_admitting(stack, session["access"]) == list(PATHS)
    end(stack, session)
    assert wait_until_refused(stack, session["access"]) == []


def test_an_api_token_that_is_deleted_ends_everywhere(stack: RunningStack) -> None:
    _, api = register(stack)
    token = make_api_token(api, "read")
    assert list_admitting(stack, token) == list(PATHS)
    delete_tokens(api)
    assert wait_until_refused(stack, token) == []


def delete_tokens(api: Api) -> None:
    for one in api.send("GET", "/auth/tokens")["tokens"]:
        api.send("DELETE", f"/auth/tokens/{one['id']}", expect=204)


@contextlib.contextmanager
def without_nats(stack: RunningStack) -> Iterator[None]:
    """NATS is stopped dead as often as it comes back; who speaks to it loses the connection."""
    runner = psutil.Process(stack.process.pid)
    nats = next(one for one in runner.children() if "nats-server" in one.name())
    nats.kill()
    nats.wait(5)
    held = hold_down(runner)
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            held.kill()  # the runner starts another one


def hold_down(runner: psutil.Process) -> psutil.Process:
    """The next NATS that the runner starts, stopped before it answers anybody."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for child in runner.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                if "nats-server" in child.name():
                    child.suspend()
                    return child
    raise AssertionError("NATS was not started again")


def test_sessions_end_while_nats_is_away_and_stay_ended_when_it_returns(stack: RunningStack) -> None:
    session, _ = register(stack)
    other, _ = register(stack)
    assert list_admitting(stack, session["access"]) == list(PATHS)
    with without_nats(stack):
        log_out(stack, session)
        assert wait_until_refused(stack, session["access"]) == []
        assert list_admitting(stack, other["access"]) == list(PATHS)
    wait_until_healthy(stack)
    assert wait_until_refused(stack, session["access"]) == []
    log_out(stack, other)
    assert wait_until_refused(stack, other["access"]) == []


def wait_until_healthy(stack: RunningStack) -> None:
    deadline = time.monotonic() + 30
    health: JSON = {}
    while health.get("status") != "healthy":
        assert time.monotonic() < deadline, health
        health = requests.get(f"{stack.url}/api/health", timeout=10).json()
        time.sleep(0.05)
