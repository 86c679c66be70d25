"""The runner: it ends in time and leaves nothing behind; a platform that moved in comes back from its backup."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import nats
import pytest
import requests
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.api import Api, DemoError, read_page
from deploy.nats.access import OPERATOR
from services.common.messaging.streams import REVOCATIONS_BUCKET
from tests.e2e.stack import RunningStack, wait_until_gone
from tests.pages import read_commands, run_commands
from tests.store.django_database import PASSWORD as OLD_PASSWORD
from tests.store.django_database import make_django_database

LIMIT_S = 300.0


def answers_without_certificate(stack: RunningStack, service: str) -> bool:
    socket = json.loads((stack.state / "run.json").read_text())["sockets"][service]
    with grpc.insecure_channel(f"unix:{socket}") as channel:
        try:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=3)
        except grpc.RpcError:
            return False
    return True


def type_commands(page: str, state: Path, places: Mapping[str, str]) -> None:
    """What a page says, one block after the other, with places of this test."""
    for text in read_commands(page, by=__file__):
        type_block(text, state, places)


def type_block(text: str, state: Path, places: Mapping[str, str]) -> None:
    for place, here in places.items():
        text = text.replace(place, here)
    assert "/srv/" not in text, text
    run_commands(text, environment={**os.environ, "PROXIMITY_STATE_DIR": str(state)}, timeout=LIMIT_S)


def make_old_database(folder: Path) -> str:
    """Of the Django system, with users alone: its hosts are not there."""
    url = make_django_database(folder / "old.db")
    with closing(sqlite3.connect(folder / "old.db")) as old, old:
        for table in ("applications", "proxmox_hosts", "proxmox_nodes", "backups", "deployment_logs"):
            old.execute(f"DELETE FROM {table}")
    return url


def deploy(api: Api, hostname: str) -> dict[str, Any]:
    app_id = api.send("POST", "/apps", {"catalog_id": "adminer", "hostname": hostname}, expect=201)["id"]
    return api.wait_for_app(app_id, wanted="running", timeout=LIMIT_S, watch=lambda _: None)


def reconcile_until(api: Api, expected: set[tuple[str, int]]) -> None:
    """Compare again until these differences are found: a host that has not answered yet proves nothing."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        answer = api.send("POST", "/apps/reconcile", {})
        if expected <= {(one["type"], one["vmid"]) for one in answer["findings"]}:
            return
        assert time.monotonic() < deadline, answer
        time.sleep(0.3)


def read_nats(stack: RunningStack) -> set[str]:
    """What NATS holds for the platform, by name: streams, consumers, revoked sessions."""
    url = stack.nats_url(OPERATOR)

    async def read() -> set[str]:
        client = await nats.connect(url)
        try:
            js = client.jetstream()
            streams = [each.config.name or "" for each in await js.streams_info()]
            consumers = [
                f"{name}/{one.name}"
                for name in streams
                for one in await js.consumers_info(name)
                if one.config.durable_name
            ]
            revoked = await (await js.key_value(REVOCATIONS_BUCKET)).keys()
            return {*streams, *consumers, *revoked}
        finally:
            await client.close()

    return asyncio.run(read())


def wait_for_nats(stack: RunningStack, wanted: set[str]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while missing := wanted - read_nats(stack):
        assert time.monotonic() < deadline, missing
        time.sleep(0.1)


def read_event_ids(stack: RunningStack, api: Api, app_id: str, *, after: str) -> list[str]:
    """The ids of what an app's listener is told who had everything up to `after`, until the app ran."""
    headers = {"Authorization": f"Bearer {api.token}", "Last-Event-ID": after}
    found: list[str] = []
    url = f"{stack.url}/api/apps/{app_id}/events"
    with requests.get(url, headers=headers, stream=True, timeout=LIMIT_S) as told:
        for line in told.iter_lines(decode_unicode=True):
            if line.startswith("id: "):
                found.append(line.removeprefix("id: "))
            if line.startswith("data: ") and '"running"' in line:
                return found
    raise AssertionError(f"{app_id} never ran: {found}")


def destroy_all_but_proxmox(state: Path) -> None:
    kept = state.with_name("pvesim")
    (state / "pvesim").rename(kept)
    shutil.rmtree(state)
    state.mkdir()
    kept.rename(state / "pvesim")


@pytest.mark.timeout(900)
def test_a_killed_and_destroyed_stack_leaves_no_process_and_comes_back_from_its_backup(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    places = {
        "/srv/backups/proximity.tar.gz": str(tmp_path / "backup.tar.gz"),
        "sqlite:////srv/proximity/db.sqlite3": make_old_database(tmp_path),
    }
    back_up, restore = read_commands("docs/recovery.md", by=__file__)
    type_commands("docs/moving-in.md", state, places)
    first = RunningStack(state, PROXIMITY_MTLS="1")  # so is every service over mutual TLS
    old = first.sign_in("root", OLD_PASSWORD)
    old.send("POST", "/core/settings/resources", {"default_memory_mb": 1024})
    kept, lost = deploy(old, "kept-1"), deploy(old, "lost-1")
    first.sign_in("root", OLD_PASSWORD).send("POST", "/auth/logout", {})
    told = read_event_ids(first, old, kept["id"], after="1")
    begun = old.send("POST", "/apps", {"catalog_id": "adminer", "hostname": "begun-1"}, expect=201)["id"]
    type_block(back_up, state, places)
    held = read_nats(first)
    assert {"JOBS", "EVENTS", "AUDIT"} < held
    assert any(name.startswith("sid.") for name in held)
    newer = deploy(old, "newer-1")
    old.send("DELETE", f"/apps/{lost['id']}", expect=202)
    old.wait_for_app(lost["id"], wanted="gone", timeout=LIMIT_S, watch=lambda _: None)
    pids = list(first.pids.values())
    assert len(pids) == 12
    first.kill()
    assert wait_until_gone(pids, timeout=60) == []
    destroy_all_but_proxmox(state)
    type_block(restore, state, places)
    type_commands("docs/runbooks.md", state, {})  # and the signing key is taken for leaked

    second = RunningStack(state, PROXIMITY_MTLS="1")
    try:
        with pytest.raises(DemoError, match="401"):
            second.resume(old.token).send("GET", "/apps")
        api = second.sign_in("root", OLD_PASSWORD)
        assert api.send("GET", "/core/settings/resources")["default_memory_mb"] == 1024
        api.wait_for_app(begun, wanted="running", timeout=LIMIT_S, watch=lambda _: None)
        wait_for_nats(second, held)
        assert read_event_ids(second, api, kept["id"], after=told[0]) == told[1:]
        assert {app["id"] for app in api.send("GET", "/apps")["apps"]} == {kept["id"], lost["id"], begun}
        reconcile_until(api, {("missing", lost["lxc_id"]), ("orphan", newer["lxc_id"])})
        assert read_page(kept["url"])
        pids = list(second.pids.values())
        assert not answers_without_certificate(second, "apps")
    finally:
        second.stop()
    assert second.process.returncode == 0
    assert wait_until_gone(pids, timeout=60) == []
