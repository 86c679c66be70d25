"""The catalog through the real gateway: its states, a source of one's own, and apps that follow its revisions."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from deploy.local.api import Api, read_page, write_page
from tests.e2e.simulators import Simulator
from tests.e2e.stack import RunningStack

LIMIT_S = 300.0
THING = """\
id: thing
name: Thing
version: "{version}"
description: Keeps one page.
category: Tools
tags: [thing]
author: Nobody
website: https://example.com/
documentation: https://example.com/docs
license: MIT
architectures: [amd64]
runtimes: [compose, oci]
resources: {{memory: {{minimum: 64, recommended: 64}}, cpu: {{minimum: 0.5, recommended: 1}}, disk: {{minimum: 1, recommended: 1}}}}
ports:
  - {{service: web, container: 8080, published: 8080, purpose: web}}
volumes:
  - {{service: web, name: data, path: /data, purpose: data, backup: true}}
inputs:
  - {{name: TITLE, label: Title, type: text, default: Hello}}
  - {{name: ADMIN_PASSWORD, label: Password, type: password, generate: {{length: 20}}}}
probe: {{kind: http, path: /, grace_seconds: 3}}
compose:
  services:
    web:
      image: example/thing:{version}
      ports: ["8080:8080"]
      environment: {{TITLE: "${{TITLE}}", ADMIN_PASSWORD: "${{ADMIN_PASSWORD}}"}}
      volumes: ["data:/data"]
  volumes:
    data:
"""


def ignore(_: dict[str, Any]) -> None:
    """Nobody watches."""


def wait_until(look: Callable[[], Any], *, timeout: float = 30.0) -> Any:
    """Look until something is found."""
    deadline = time.monotonic() + timeout
    while not (found := look()):
        assert time.monotonic() < deadline, "not within the time"
        time.sleep(0.1)
    return found


class OwnSource:
    """A source of one item, in a folder of the server."""

    def __init__(self, stack: RunningStack, api: Api) -> None:
        self.api = api
        self.name = f"own{uuid.uuid4().hex[:6]}"
        self.folder: Path = stack.state / "sources" / self.name
        self.folder.mkdir()
        self.id = 0

    def publish(self, version: str) -> str:
        """Publish a version and return its revision."""
        (self.folder / "thing.yaml").write_text(THING.format(version=version))
        if self.id:
            self.api.send("POST", f"/catalog/sources/{self.id}/refresh", {}, expect=202)
        else:
            body = {"name": self.name, "location": str(self.folder), "format": "native"}
            self.id = self.api.send("POST", "/catalog/sources", body, expect=201)["id"]

        def find() -> str:
            items = self.api.send("GET", f"/catalog?source={self.name}")["applications"]
            return next((item["revision"] for item in items if item["version"] == version), "")

        return str(wait_until(find))


@pytest.fixture
def source(stack: RunningStack) -> Iterator[OwnSource]:
    own = OwnSource(stack, stack.sign_in())
    yield own
    own.api.send("DELETE", f"/catalog/sources/{own.id}", expect=204)


def get(stack: RunningStack, path: str, *, api: Api | None = None, known: str = "") -> requests.Response:
    headers = {"If-None-Match": known} if known else {}
    if api is not None:
        headers["Authorization"] = f"Bearer {api.token}"
    return requests.get(f"{stack.url}/api{path}", headers=headers, timeout=20)


@pytest.mark.parametrize("path", ["/catalog", "/catalog/adminer", "/catalog/search?q=git", "/catalog/stats"])
def test_a_state_that_is_known_is_not_sent_again(stack: RunningStack, path: str) -> None:
    api = stack.sign_in()
    first = get(stack, path, api=api)
    assert (first.status_code, first.headers["cache-control"]) == (200, "private, no-cache")
    again = get(stack, path, api=api, known=first.headers["etag"])
    assert (again.status_code, again.content, again.headers["etag"].removeprefix("W/")) == (
        304, b"", first.headers["etag"].removeprefix("W/"),
    )  # fmt: skip


def test_icons_and_the_schema_are_public_and_may_be_kept(stack: RunningStack) -> None:
    for path, kind in (
        ("/catalog/adminer/icon", "image/svg+xml"),
        ("/catalog/schema", "application/schema+json"),
    ):
        first = get(stack, path)
        assert (first.status_code, first.headers["content-type"]) == (200, kind)
        assert first.headers["cache-control"] == "public, max-age=86400"
        again = get(stack, path, known=first.headers["etag"])
        assert (again.status_code, again.content) == (304, b"")


def test_a_preview_shows_what_would_run_and_where_without_secrets(stack: RunningStack) -> None:
    body = {"environment": {"DB_PASSWORD": "hush-hush"}}
    shown = stack.sign_in().send("POST", "/catalog/wordpress/render", body)
    assert "hush-hush" not in str(shown)
    assert shown["environment"]["DB_PASSWORD"] == "********"
    assert (shown["node"], shown["memory"] > 0, "wordpress" in shown["docker_compose"]) == (
        shown["node"],
        True,
        True,
    )
    assert shown["placement_message"] == ""


def kill_worker_during(stack: RunningStack, api: Api, app_id: str, *, operation: str, step: str) -> None:
    """Kill the apps' worker as soon as an operation has come to a step."""

    def has_come() -> bool:
        shown = api.send("GET", f"/apps/{app_id}/operations/{operation}")
        return any(one["name"] == step and one["status"] != "pending" for one in shown["steps"])

    wait_until(has_come, timeout=LIMIT_S)
    stack.kill_process("apps", "work")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("runtime", ["compose", "oci"])
def test_an_app_follows_its_item_and_goes_back_by_itself_or_by_hand(
    stack: RunningStack, source: OwnSource, runtime: str
) -> None:
    api, simulator = source.api, Simulator(stack.simulator)
    before = simulator.list_vmids()
    first = source.publish("1.0")
    body: dict[str, Any] = {"catalog_id": f"{source.name}.thing", "hostname": f"up-{uuid.uuid4().hex[:8]}"}
    body["config"] = {"runtime": runtime}
    app_id = api.send("POST", "/apps", body, expect=201)["id"]
    app = api.wait_for_app(app_id, wanted="running", timeout=LIMIT_S, watch=ignore)
    assert (app["revision"], app.get("update"), app["runtime"]) == (first, None, runtime)
    write_page(f"{app['url']}/_data/note", "of version 1")

    second = source.publish("2.0")
    shown = wait_until(lambda: api.send("GET", f"/apps/{app_id}").get("update"))
    assert shown == {"revision": second, "version": "2.0"}
    accepted = api.send("POST", f"/apps/{app_id}/update", {}, expect=202)
    kill_worker_during(stack, api, app_id, operation=accepted["operation_id"], step="bring_up")
    app = api.wait_for_app(app_id, wanted="running", timeout=LIMIT_S, watch=ignore)
    operation = api.send("GET", f"/apps/{app_id}/operations/{accepted['operation_id']}")
    assert (operation["status"], operation["kind"]) == ("succeeded", "upgrade_app")
    assert (app["revision"], app.get("update")) == (second, None)
    assert read_page(f"{app['url']}/_data/note") == "of version 1"
    (backup,) = api.send("GET", f"/apps/{app_id}/backups")["backups"]
    assert (backup["status"], backup["notes"]) == ("completed", "Made before updating to 2.0")
    write_page(f"{app['url']}/_data/note", "of version 2")

    source.publish("3.0")
    simulator.add_fault({"kind": "app_silent", "subject": "thing:3", "times": None})
    try:
        accepted = api.send("POST", f"/apps/{app_id}/update", {}, expect=202)
        app = api.wait_for_app(app_id, wanted="running", timeout=LIMIT_S, watch=ignore)
    finally:
        simulator.clear_faults()
    operation = api.send("GET", f"/apps/{app_id}/operations/{accepted['operation_id']}")
    assert (operation["status"], "does not answer" in operation["error"]) == ("failed", True)
    assert (app["revision"], read_page(f"{app['url']}/_data/note")) == (second, "of version 2")
    lines = " ".join(one["message"] for one in api.send("GET", f"/apps/{app_id}/logs?limit=200")["logs"])
    assert ("is again what it was in the snapshot" in lines) == (runtime == "compose"), lines
    assert ("Going back to the backup" in lines) == (runtime == "oci"), lines

    api.send("POST", f"/apps/{app_id}/rollback", {}, expect=202)
    app = api.wait_for_app(app_id, wanted="running", timeout=LIMIT_S, watch=ignore)
    assert (app["revision"], read_page(f"{app['url']}/_data/note")) == (first, "of version 1")
    assert app["environment"]["ADMIN_PASSWORD"] == "********"
    api.send("DELETE", f"/apps/{app_id}", expect=202)
    api.wait_for_app(app_id, wanted="gone", timeout=LIMIT_S, watch=ignore)
    assert simulator.list_vmids() <= before


def test_a_source_with_bad_files_publishes_the_good_ones_and_says_what_is_wrong(
    stack: RunningStack, source: OwnSource
) -> None:
    (source.folder / "broken.yaml").write_text("id: broken\nname: [")
    source.publish("1.0")

    def find_fetched() -> Any:
        sources = source.api.send("GET", "/catalog/sources")["sources"]
        return next((s for s in sources if s["id"] == source.id and s["status"] == "published"), None)

    known = wait_until(find_fetched)
    assert (known["item_count"], known["rejected_count"]) == (1, 1)
    left = source.api.send("GET", f"/catalog/sources/{source.id}/rejections")
    assert [(r["file"], r["error"].startswith("line ")) for r in left["rejections"]] == [
        ("broken.yaml", True)
    ]
