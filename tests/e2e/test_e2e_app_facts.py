"""What apps show that other services know, through the whole platform."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import requests

from deploy.local.api import Api
from tests.e2e.stack import RunningStack

LIMIT_S = 300.0


def deploy(api: Api, item: str = "adminer") -> str:
    """Deploy an app, and return its id once it runs."""
    body = {"catalog_id": item, "hostname": f"facts-{uuid.uuid4().hex[:8]}"}
    app_id = str(api.send("POST", "/apps", body, expect=201)["id"])
    wait_until(lambda: api.send("GET", f"/apps/{app_id}/status", expect=200)["status"] == "running")
    return app_id


def wait_until(happened: Callable[[], Any]) -> None:
    """Wait until a look at the platform finds what is expected."""
    end = time.monotonic() + LIMIT_S
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


def test_the_newest_backup_of_an_app_is_shown_and_goes_with_it(stack: RunningStack) -> None:
    api = stack.sign_in()
    app_id = deploy(api)
    made = api.send("POST", f"/apps/{app_id}/backups", {}, expect=202)["id"]
    wait_until(lambda: api.send("GET", f"/apps/{app_id}", expect=200).get("last_backup"))
    assert api.send("GET", f"/apps/{app_id}", expect=200)["last_backup"]["id"] == made
    wait_until(lambda: api.send("GET", f"/apps/{app_id}/status", expect=200)["status"] == "running")
    api.send("DELETE", f"/apps/{app_id}/backups/{made}", expect=202)
    wait_until(lambda: "last_backup" not in api.send("GET", f"/apps/{app_id}", expect=200))


def test_the_icon_of_an_app_answers(stack: RunningStack) -> None:
    api = stack.sign_in()
    path = api.send("GET", f"/apps/{deploy(api)}", expect=200)["icon"]
    answer = requests.get(stack.url + path, headers={"Authorization": f"Bearer {api.token}"}, timeout=10)
    assert answer.headers["content-type"] == "image/svg+xml"
