"""Attacks by a clever client on paths, bodies and queries."""

from __future__ import annotations

import http.client
import uuid
from typing import Any

import pytest
import requests

from tests.e2e.stack import RunningStack
from tests.security.conftest import Platform
from tests.security.principals import GOOD_PASSWORD, register, sign_in

JSON = dict[str, Any]


@pytest.fixture(scope="module")
def intruder(stack: RunningStack) -> str:
    """The access token of an ordinary user."""
    return str(register(stack)[0]["access"])


def send_raw(stack: RunningStack, path: str, token: str, method: str = "GET") -> int:
    connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=10)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        connection.putheader("Authorization", f"Bearer {token}")
        connection.endheaders()
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/api/apps/%2e%2e/%2e%2e/proximity.auth.v1.AuthInternalService/FindUser",
        "/api/apps/..%2f..%2fauth%2fusers",
        "/api/apps/..%5c..%5cauth%5cusers",
        "/api/apps/%252e%252e/auth/users",
        "/api//auth//..//..//proximity.inventory.v1.ContainerService/Exec",
        "/proximity.auth.v1.AuthInternalService/FindUser",
        "/proximity.inventory.v1.ContainerService/ListContainers",
        "/proximity.auth.v1.AuthService/ListUsers",
        "/api/auth/users;a=b/../../health/../auth/users%00",
        "/api/auth/users%00",
        "/api/auth/users%0d%0aX-HTTP-Code:%20200",
        "http://127.0.0.1:1/api/auth/users%2f",
    ],
)
def test_tricks_with_paths_reach_nothing_else(stack: RunningStack, intruder: str, path: str) -> None:
    assert send_raw(stack, path, intruder) in {400, 403, 404}


def test_odd_spellings_of_a_path_are_still_the_administrators(stack: RunningStack, intruder: str) -> None:
    for path in ("//api//auth//users", "/api/./auth/users/", "/api/apps/../auth/users", "/api/auth/%75sers"):
        assert send_raw(stack, path, intruder) == 403


def test_fields_that_are_not_asked_for_change_nothing(stack: RunningStack) -> None:
    name = f"u{uuid.uuid4().hex[:10]}"
    grab = {"is_staff": True, "is_superuser": True, "staff": True, "id": 1, "pk": 1, "is_active": False}
    body = {"username": name, "password": GOOD_PASSWORD, "email": f"{name}@example.org", **grab}
    made = requests.post(f"{stack.url}/api/auth/register", json=body, timeout=20)
    assert made.status_code in {201, 400}
    session = made.json() if made.status_code == 201 else register(stack)[0]
    headers = {"Authorization": f"Bearer {session['access']}"}
    changed = requests.patch(
        f"{stack.url}/api/auth/user",
        json={"bio": "x", "username": "admin", **grab},
        headers=headers,
        timeout=10,
    )
    assert changed.status_code in {200, 400}
    user = requests.get(f"{stack.url}/api/auth/user", headers=headers, timeout=10).json()
    assert user["is_staff"] is False
    assert user["is_active"] is True
    assert user["id"] == session["user"]["id"]
    assert user["username"] == session["user"]["username"]


def test_a_body_does_not_overrule_its_path(platform: Platform) -> None:
    stack = platform.stack
    victim, _ = register(stack)
    admin = {"Authorization": f"Bearer {sign_in(stack)['access']}"}
    body = {"id": victim["user"]["id"], "is_active": False}
    answer = requests.patch(f"{stack.url}/api/auth/users/2000000000", json=body, headers=admin, timeout=10)
    assert answer.status_code in {400, 404}
    mine = {"Authorization": f"Bearer {victim['access']}"}
    assert requests.get(f"{stack.url}/api/auth/user", headers=mine, timeout=10).status_code == 200
    theft = {"app_id": platform.estate.app_id, "name": "mine"}
    stolen = requests.patch(f"{stack.url}/api/apps/none-00000000", json=theft, headers=mine, timeout=10)
    assert stolen.status_code in {400, 404}


@pytest.mark.parametrize("field", ["owner_id", "owner", "status", "lxc_id", "id", "public_port"])
def test_nobody_sets_what_the_platform_decides(stack: RunningStack, field: str) -> None:
    session, api = register(stack)
    body = {"catalog_id": "adminer", "hostname": f"own-{uuid.uuid4().hex[:8]}"}
    refused = api._request("POST", "/apps", {**body, field: 1})
    assert (refused.status_code, field in refused.json()["error"]) == (400, True)
    refused = api._request("POST", f"/apps?{field}=1", body)
    assert (refused.status_code, field in refused.json()["error"]) == (400, True)
    assert api.send("GET", "/apps")["total"] == 0
    assert api.send("POST", "/apps", body, expect=201)["owner_id"] == session["user"]["id"]


def test_a_query_does_not_name_another_app(stack: RunningStack) -> None:
    _, api = register(stack)
    apps = [
        api.send(
            "POST", "/apps", {"catalog_id": "adminer", "hostname": f"q-{uuid.uuid4().hex[:8]}"}, expect=201
        )
        for _ in range(2)
    ]
    first, second = (app["id"] for app in apps)
    for method, path, body in (
        ("GET", f"/apps/{first}", None),
        ("DELETE", f"/apps/{first}", None),
        ("POST", f"/apps/{first}/action", {"action": "stop"}),
        ("PATCH", f"/apps/{first}", {"name": "x"}),
    ):
        for query in (f"app_id={second}", f"app%5Fid={second}", f"_=1&app_id={second}&app_id={first}"):
            answer = api._request(method, f"{path}?{query}", body)
            assert answer.status_code == 400, answer.text
            assert "app_id" in answer.json()["error"]
    assert api.send("GET", "/apps")["total"] == 2
