"""Attacks on terminals, through the gateway: others' apps, weak tokens, revocation in the middle, odd input, traces."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from deploy.local.api import Api
from tests.e2e.stack import RunningStack
from tests.security.conftest import deploy
from tests.security.principals import make_api_token, register, sign_in

END_S = 60.0  # the longest that a busy machine takes for what happens at once on an idle one


@dataclass(frozen=True)
class Owner:
    """A user with a running app."""

    session: dict[str, Any]
    api: Api
    app_id: str


@pytest.fixture(scope="module")
def owner(stack: RunningStack) -> Owner:
    session, api = register(stack)
    return Owner(session, api, deploy(api))


@contextlib.contextmanager
def attach(
    stack: RunningStack, app_id: str, token: str, *, as_cookie: bool = True
) -> Iterator[ClientConnection]:
    """Open a terminal as a page does, with the cookie, or as a program with the header."""
    header = (
        {"Cookie": f"proximity-auth-cookie={token}"} if as_cookie else {"Authorization": f"Bearer {token}"}
    )
    with connect(
        f"ws://127.0.0.1:{stack.port}/api/apps/{app_id}/terminal?columns=100&rows=30",
        origin=stack.url if as_cookie else None,  # type: ignore[arg-type]  # a NewType of str
        additional_headers=header,
        compression=None,
        proxy=None,
        open_timeout=20,
    ) as socket:
        yield socket


def begin(socket: ClientConnection) -> None:
    """Wait until the shell runs and has prompted."""
    assert json.loads(socket.recv(20)) == {"type": "attached"}
    find(socket, b"# ")


def find(socket: ClientConnection, text: bytes) -> bytes:
    """Wait until a text is shown; returns everything until then."""
    shown, end = b"", time.monotonic() + END_S
    while text not in shown:
        frame = socket.recv(max(end - time.monotonic(), 0.01))
        assert isinstance(frame, bytes), (frame, shown)
        shown += frame
    return shown


def find_refusal(socket: ClientConnection) -> tuple[dict[str, Any], int]:
    """Wait for the end; returns the error and the code of the close."""
    error: dict[str, Any] = {}
    end = time.monotonic() + END_S
    with contextlib.suppress(ConnectionClosed):
        while True:
            frame = socket.recv(max(end - time.monotonic(), 0.01))
            if isinstance(frame, str) and json.loads(frame)["type"] == "error":
                error = json.loads(frame)
    assert socket.close_code is not None
    return error, socket.close_code


def refuse(stack: RunningStack, app_id: str, token: str) -> tuple[str, int]:
    """Open one in vain: the reason and the code, or the status where the gateway refuses."""
    try:
        with attach(stack, app_id, token) as socket:
            error, code = find_refusal(socket)
            return str(error["reason"]), code
    except InvalidStatus as refusal:
        return "", refusal.response.status_code


def test_the_owner_and_administrators_have_a_terminal(stack: RunningStack, owner: Owner) -> None:
    for token in (owner.session["access"], sign_in(stack)["access"]):
        with attach(stack, owner.app_id, token) as socket:
            begin(socket)
            socket.send(b"stty size; exit 5\r")
            find(socket, b"30 100\r\n")
            frames = list(socket)
            assert json.loads(frames[-1]) == {"type": "exit", "status": 5}
            assert socket.close_code == 1000


def test_others_and_weak_credentials_have_none(stack: RunningStack, owner: Owner) -> None:
    other, other_api = register(stack)
    assert refuse(stack, owner.app_id, other["access"]) == ("APP_NOT_FOUND", 4404)
    assert refuse(stack, "nobody-00000000", owner.session["access"]) == ("APP_NOT_FOUND", 4404)
    assert refuse(stack, owner.app_id, "x.y.z") == ("", 401)
    for token, found in (
        (make_api_token(owner.api, "read"), ("SCOPE_MISSING", 4403)),
        (make_api_token(other_api, "read", "write"), ("APP_NOT_FOUND", 4404)),
    ):
        with attach(stack, owner.app_id, token, as_cookie=False) as socket:
            error, code = find_refusal(socket)
            assert (error["reason"], code) == found


def test_an_api_token_that_may_write_has_one(stack: RunningStack, owner: Owner) -> None:
    token = make_api_token(owner.api, "read", "write")
    with attach(stack, owner.app_id, token, as_cookie=False) as socket:
        begin(socket)


def log_out(stack: RunningStack, owner: dict[str, Any]) -> None:
    api = stack.resume(str(owner["access"]))
    api.send("POST", "/auth/logout", {"refresh": owner["refresh"]})


def deactivate(stack: RunningStack, owner: dict[str, Any]) -> None:
    stack.sign_in().send("PATCH", f"/auth/users/{owner['user']['id']}", {"is_active": False})


def wait_until_refused(stack: RunningStack, token: str) -> None:
    """Wait until the service that serves terminals refuses a token."""
    headers, end = {"Authorization": f"Bearer {token}"}, time.monotonic() + END_S
    while requests.get(f"{stack.url}/api/apps", headers=headers, timeout=20).status_code != 401:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("end_access", [log_out, deactivate])
@pytest.mark.parametrize("types_on", [True, False])
def test_a_terminal_ends_with_its_credentials(stack: RunningStack, end_access: Any, types_on: bool) -> None:
    session, api = register(stack)
    app_id = deploy(api)
    mark = uuid.uuid4().hex
    with attach(stack, app_id, session["access"]) as socket:
        begin(socket)
        end_access(stack, session)
        if types_on:  # nothing may run that is typed once the revocation is known
            wait_until_refused(stack, session["access"])
            with contextlib.suppress(ConnectionClosed):
                socket.send(f"touch /tmp/{mark}\r".encode())
        error, code = find_refusal(socket)
        assert (error["reason"], code) == ("CREDENTIALS_INVALID", 4401)
    with attach(stack, app_id, sign_in(stack)["access"]) as socket:
        begin(socket)
        socket.send(f"ls /tmp/{mark} || echo mi''ssing\r".encode())
        find(socket, b"\nmissing\r\n")


def test_two_terminals_are_two_shells(stack: RunningStack, owner: Owner) -> None:
    token = owner.session["access"]
    with attach(stack, owner.app_id, token) as first, attach(stack, owner.app_id, token) as second:
        begin(first)
        begin(second)
        first.send(b"X=first; echo ['$X']\r")
        second.send(b'echo "[$X]"\r')
        find(second, b"\n[]\r\n")


def test_a_frame_that_is_too_large_ends_the_terminal_alone(stack: RunningStack, owner: Owner) -> None:
    with attach(stack, owner.app_id, owner.session["access"]) as socket:
        begin(socket)
        with contextlib.suppress(ConnectionClosed):
            socket.send(b"x" * (64 * 1024 + 1))
        assert find_refusal(socket)[1] == 1009
    with attach(stack, owner.app_id, owner.session["access"]) as socket:
        begin(socket)
        socket.send(b"not json, but text".decode())
        error, code = find_refusal(socket)
        assert (error["code"], code) == ("INVALID_ARGUMENT", 4400)


def test_a_flood_of_input_and_output_passes_in_order(stack: RunningStack, owner: Owner) -> None:
    with attach(stack, owner.app_id, owner.session["access"]) as socket:
        begin(socket)
        socket.send(b"seq 1 60000; echo do''ne\r")
        shown = find(socket, b"\ndone\r\n")
        numbers = [int(line) for line in shown.split(b"\r\n") if line.isdigit()]
        assert numbers == list(range(1, 60_001))
        for number in range(200):
            socket.send(f"echo {number}':'{'x' * 500}\r".encode())
        find(socket, b"199:x")


def test_control_characters_and_escape_sequences_arrive_as_they_are(
    stack: RunningStack, owner: Owner
) -> None:
    with attach(stack, owner.app_id, owner.session["access"]) as socket:
        begin(socket)
        socket.send("printf '\\033]0;title\\007\\033[2Jü\\010'\r".encode())
        find(socket, "\x1b]0;title\x07\x1b[2Jü\x08".encode())


@pytest.mark.parametrize("name", ["a%0d%0ab", "a%1b%5b31m", "%e2%80%ae", "a%00b", "..", "a%2fb", "x" * 200])
def test_odd_names_are_refused(stack: RunningStack, owner: Owner, name: str) -> None:
    reason, code = refuse(stack, name, owner.session["access"])
    assert code in {400, 403, 404, 4400, 4404}, (reason, code)


def test_nothing_of_a_terminal_is_in_logs_databases_or_the_audit(stack: RunningStack, owner: Owner) -> None:
    typed, shown = f"typed-{uuid.uuid4().hex}", uuid.uuid4().hex
    with attach(stack, owner.app_id, owner.session["access"]) as socket:
        begin(socket)
        socket.send(f"# {typed}\r".encode())
        socket.send(f"printf 'shown%s\\n' -{shown}\r".encode())
        find(socket, f"shown-{shown}\r\n".encode())
        socket.send(b"exit\r")
        list(socket)
    admin = stack.sign_in()
    path = "/auth/audit?action=apps.AttachTerminal&per_page=100"
    deadline = time.monotonic() + END_S
    while True:  # entries reach auth by way of the outbox
        entries = admin.send("GET", path)["entries"]
        ended = [one for one in entries if one["target"].startswith(f"{owner.app_id}, ended after ")]
        if ended or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    begun = [one for one in entries if one["target"] == owner.app_id and one["outcome"] == "OK"]
    assert ended
    assert begun
    assert {one["username"] for one in begun} >= {owner.session["user"]["username"]}
    written = json.dumps(entries) + read_files(stack.state)
    for secret in (typed, f"shown-{shown}", f"-{shown}"):
        assert secret not in written


def read_files(state: Path) -> str:
    """Everything that the platform wrote: logs, and what is in its databases. The simulated Proxmox is not of it."""
    logs = [
        file.read_text(errors="replace")
        for file in (state / "logs").glob("*.log")
        if "pvesim" not in file.name
    ]
    rows: list[str] = []
    for file in (state / "db").glob("*.sqlite3"):
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
            rows += database.iterdump()
    return "\n".join([*logs, *rows])
