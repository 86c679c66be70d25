"""After a whole life of an app no secret that was used stands in a log, a stream, a process list or a database."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from deploy.local.api import Api
from tests.e2e.stack import PASSWORD, RunningStack
from tests.security.conftest import LIMIT_S
from tests.security.principals import GOOD_PASSWORD, make_api_token, register

WITH_SECRET = "vaultwarden"


@dataclass(frozen=True)
class Life:
    """What one life of an app used and showed."""

    secrets: dict[str, str]
    shown: str


def find_secret_input(api: Api, item: str) -> str:
    inputs = api.send("GET", f"/catalog/{item}")["inputs"]
    return str(next(one["name"] for one in inputs if one.get("secret")))


@pytest.fixture(scope="module")
def life(stack: RunningStack) -> Life:
    """Sign up, deploy with a secret, back up, fail to sign in, delete; everything that was answered is kept."""
    session, api = register(stack)
    token = make_api_token(api, "read", "write")
    value, wrong = f"s3cret-{uuid.uuid4().hex}", f"wr0ng-{uuid.uuid4().hex}"
    answers: list[Any] = []
    body = {"username": session["user"]["username"], "password": wrong}
    answers.append(requests.post(f"{stack.url}/api/auth/login", json=body, timeout=20).text)
    headers = {"Authorization": f"Bearer {token}"}
    answers.append(requests.get(f"{stack.url}/api/apps?token={wrong}", headers=headers, timeout=20).text)
    app = {
        "catalog_id": WITH_SECRET,
        "hostname": f"sec-{uuid.uuid4().hex[:8]}",
        "environment": {find_secret_input(api, WITH_SECRET): value},
    }
    made = api.send("POST", "/apps", app, expect=201)
    running = api.wait_for_app(made["id"], wanted="running", timeout=LIMIT_S, watch=answers.append)
    backup = api.send("POST", f"/apps/{made['id']}/backups", {}, expect=202)["id"]
    api.wait_for_backup(made["id"], backup, timeout=LIMIT_S)
    answers += [made, running, *read_everything(api, made["id"])]
    answers.append(read_events(stack, made["id"], session["access"]))
    secrets = {
        "a secret of an app": value,
        "a wrong password": wrong,
        "a password": GOOD_PASSWORD,
        "the administrator's password": PASSWORD,
        "an access token": session["access"],
        "a refresh token": session["refresh"],
        "an API token": token,
        "Proxmox's password": str(stack.simulator["password"]),
        "SECRET_KEY": (stack.state / "keys" / "secret_key").read_text().strip(),
    }
    return Life(secrets, "\n".join(json.dumps(answer) for answer in answers))


def read_everything(api: Api, app_id: str) -> Iterator[dict[str, Any]]:
    for path in ("", "/status", "/logs?limit=1000", "/operations", "/backups"):
        yield api.send("GET", f"/apps/{app_id}{path}")


def read_events(stack: RunningStack, app_id: str, token: str) -> str:
    """The stream of an app's events from its beginning, for as long as something comes."""
    headers = {"Authorization": f"Bearer {token}", "Last-Event-ID": "0"}
    seen, deadline = [], time.monotonic() + 5
    with requests.get(
        f"{stack.url}/api/apps/{app_id}/events", headers=headers, stream=True, timeout=10
    ) as events:
        for line in events.iter_lines(decode_unicode=True):
            seen.append(line)
            if "event: status" in line or time.monotonic() > deadline:
                break
    return "\n".join(seen)


def find_in(text: bytes, life: Life) -> list[str]:
    """The names of the secrets that stand in a text, as they are or as JSON or base64 would have them."""
    return [name for name, value in life.secrets.items() if value.encode() in text]


def list_files(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def test_no_answer_or_stream_shows_a_secret(life: Life) -> None:
    assert len(life.shown) > 2000
    assert find_in(life.shown.encode(), life) == []


def test_no_log_shows_a_secret(stack: RunningStack, life: Life) -> None:
    logs = [*list_files(stack.state / "logs"), stack.state / "runner.log"]
    # The simulated Proxmox says its own throw-away password when it starts; a real one is somebody else's program.
    logs = [log for log in logs if log.name != "pvesim.log"]
    assert sum(log.stat().st_size for log in logs) > 10_000
    found = {str(log.name): find_in(log.read_bytes(), life) for log in logs}
    assert {name: names for name, names in found.items() if names} == {}


def test_no_event_or_message_shows_a_secret(stack: RunningStack, life: Life) -> None:
    files = list(list_files(stack.state / "nats"))
    assert files, "NATS keeps its streams somewhere else"
    found = {str(file.name): find_in(file.read_bytes(), life) for file in files}
    assert {name: names for name, names in found.items() if names} == {}


def test_a_copy_of_the_databases_is_useless_without_the_key(stack: RunningStack, life: Life) -> None:
    files = list(list_files(stack.state / "db"))
    assert len([file for file in files if file.suffix == ".sqlite3"]) >= 5
    found = {str(file.name): find_in(file.read_bytes(), life) for file in files}
    assert {name: names for name, names in found.items() if names} == {}
    with sqlite3.connect(f"file:{stack.state / 'db' / 'proximity-auth.sqlite3'}?mode=ro", uri=True) as auth:
        (password,) = auth.execute("SELECT password_hash FROM users LIMIT 1").fetchone()
        (private,) = auth.execute("SELECT sealed_private FROM signing_keys LIMIT 1").fetchone()
    auth.close()
    assert password.startswith("$argon2id$")
    assert private.startswith("v")
    assert "PRIVATE" not in private


def test_no_process_shows_a_secret_in_its_arguments(stack: RunningStack, life: Life) -> None:
    runner = psutil.Process(stack.process.pid)
    lines = [" ".join(one.cmdline()) for one in (runner, *runner.children(recursive=True))]
    assert len(lines) > 8
    assert find_in("\n".join(lines).encode(), life) == []


def test_what_holds_a_secret_is_its_owners_alone(stack: RunningStack) -> None:
    folder = stack.state / "keys"
    opened = [
        str(file.name)
        for file in list_files(folder)
        if file.suffix not in {".pub", ".crt"} and file.stat().st_mode & 0o077
    ]
    assert opened == []
    assert (stack.state / "pvesim.json").stat().st_mode & 0o077 == 0
