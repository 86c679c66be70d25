"""Misspelt, unknown and misplaced values reach no service's work: 400 that names them, for every RPC of the platform."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.schemas import get_rules
from gateway.surface import Binding
from tests.contract.api.callers import Json
from tests.contract.api.fields import ALL, Asker, check_named, describe, list_fields, name_request
from tests.contract.api.table import Case
from tests.contract.api.world import World


@pytest.mark.parametrize(("case", "binding"), ALL, ids=name_request)
def test_what_a_request_does_not_know_is_refused_and_changes_nothing(
    world: World, case: Case, binding: Binding
) -> None:
    asker = Asker(world, case, binding)
    before = None if case.method.reads else describe(world)
    unknown = [("nonsense", "1"), *((name, "x") for name in binding.variables)]
    if binding.body:
        unknown += [(field.name, "x") for field in list_fields(case, binding, "body")]
        check_named(asker.send(body=asker.body | {"nonsense": 1}), "nonsense", "in the body")
        for field in list_fields(case, binding, "body"):
            if get_rules(field).null_refused:
                check_named(asker.send(body=asker.body | {field.name: None}), field.name, "null")
    for name, value in unknown:
        check_named(asker.send(extra={name: value}), name, "in the query")
    if before is not None:
        assert describe(world) == before


def change(
    world: World, path: str, name: str, value: Any, *, method: str, caller: str = "admin", **beside: str
) -> Json:
    """Set one field to a value, then to null, each with what is `beside`, and return the answer to null."""
    for each in (value, None):
        answer = world.send(method, path, caller=caller, json={name: each, **beside})
        assert answer.status_code == 200, answer.text
        changed: Json = answer.json()
        if each is not None:
            assert changed[name] == each
    return changed


def test_null_removes_the_second_dns_server(world: World) -> None:
    path = "/api/core/settings/network"
    before = world.ask(path)
    try:
        assert "default_dns_secondary" not in change(
            world, path, "default_dns_secondary", "9.9.9.9", method="POST"
        )
    finally:
        before.pop("updated_at")
        world.send("POST", path, caller="admin", json=before)
    assert world.ask(path).get("default_dns_secondary") == before.get("default_dns_secondary")


PROFILE = {
    "email": "alice@example.org",
    "first_name": "Alice",
    "last_name": "Doe",
    "bio": "b",
    "avatar": "https://example.org/a.png",
}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("name", PROFILE)
def test_null_removes_parts_of_a_profile(world: World, name: str, method: str) -> None:
    changed = change(world, "/api/auth/user", name, PROFILE[name], method=method, caller="alice")
    assert changed[name] == ""


def test_null_sets_a_quota_to_the_defaults(world: World) -> None:
    user = world.resolve("$spare_user", {})
    path = f"/api/auth/users/{user['user']['id']}"
    changed = change(world, path, "quota", {"apps": 3}, method="PATCH")
    assert changed.get("quota", {}) == {}


def test_null_removes_the_notes_of_a_backup(world: World) -> None:
    backup = world.resolve("$backup", {})
    path = f"/api/apps/{backup['application_id']}/backups/{backup['id']}"
    assert change(world, path, "notes", "before the move", method="PATCH", caller="alice")["notes"] == ""


def test_null_removes_a_pinned_fingerprint(world: World) -> None:
    host = world.resolve("$spare_host", {})
    path = f"/api/proxmox/hosts/{host['id']}"
    pin = ":".join(["AB"] * 32)
    # A change of what is trusted needs the credentials again.
    assert "fingerprint" not in change(world, path, "fingerprint", pin, method="PUT", password="other-77")


def test_a_misspelt_restore_leaves_the_app_alone(world: World) -> None:
    backup = world.resolve("$backup", {})
    path = f"/api/apps/{backup['application_id']}/backups/{backup['id']}/restore"
    for body in ({"hostname": "copy-1"}, {"new_host_name": "copy-1"}, {"newHostname": "copy-1"}):
        [name] = body
        answer = world.send("POST", path, caller="alice", json=body)
        check_named(answer, name, "misspelt")
        assert "did you mean new_hostname?" in answer.json()["error"]
    for empty in (None, ""):
        answer = world.send("POST", path, caller="alice", json={"new_hostname": empty})
        check_named(answer, "new_hostname", "empty")
        assert "leave it out to restore in place" in answer.json()["error"]


def test_every_unknown_field_is_named(world: World) -> None:
    body = {"catalog_id": "whoami", "hostname": "typo-1", "enviroment": {"A": "b"}, "memory": 512}
    answer = world.send("POST", "/api/apps", caller="alice", json=body)
    for name in ("enviroment", "memory"):
        check_named(answer, name, "unknown")
        assert name in answer.json()["error"]
    assert "did you mean environment?" in answer.json()["error"]


MESSAGES = [
    ("POST", "/api/apps/adopt", {"node_name": "pve1"}, "vmid: is required"),
    ("POST", "/api/apps/orphans/destroy", {"host_id": 1}, "vmid: is required"),
    (
        "POST",
        "/api/apps",
        {"catalog_id": "whoami", "hostname": "n-1", "environment": {"PORT": 8080}},
        "environment.PORT must be a string",
    ),
    (
        "PUT",
        "/api/proxmox/hosts/1",
        {"port": 8006.5},
        "port must be a whole number from 1 to 65535",
    ),
    (
        "POST",
        "/api/apps",
        {"catalog_id": "whoami", "hostname": "n-1", "config": {"memry": 512}},
        "config.memry: is not known; did you mean memory?",
    ),
    ("GET", "/api/apps?page=1000001", None, "page: 1000001 is more than 1000000"),
    ("GET", "/api/apps?page=abc", None, "page must be a whole number from 1 to 1000000"),
    ("GET", "/api/apps?status=runing", None, "did you mean running?"),
    ("POST", "/api/auth/tokens", {"name": "a", "scopes": ["reed"]}, "did you mean read?"),
]


@pytest.mark.parametrize(("method", "path", "body", "words"), MESSAGES, ids=[each[3] for each in MESSAGES])
def test_messages_name_field_bounds_and_remedy(
    world: World, method: str, path: str, body: Any, words: str
) -> None:
    answer = world.send(method, path, caller="admin", json=body)
    assert answer.status_code == 400
    assert words in answer.json()["error"], answer.text


def test_ports_of_a_deployment_are_accepted_without_effect(world: World) -> None:
    body = {"catalog_id": "none-such", "hostname": "old-client-1", "ports": {"80": 8080}}
    answer = world.send("POST", "/api/apps", caller="alice", json=body)
    assert answer.status_code == 400
    assert "none-such" in answer.json()["error"]


def test_head_of_an_event_stream_ends(world: World) -> None:
    app = world.settle(world.resolve("$app.id", {}))
    answer = world.send("HEAD", f"/api/apps/{app['id']}/events", caller="alice")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert world.send("HEAD", "/api/apps/none-00000000/events", caller="alice").status_code == 404
