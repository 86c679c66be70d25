"""The runner: it ends in time and leaves nothing behind; a platform that moved in comes back from its backup."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from deploy.local.api import Api, read_page
from tests.e2e.stack import RunningStack, wait_until_gone
from tests.store.django_database import PASSWORD as OLD_PASSWORD
from tests.store.django_database import make_django_database

LIMIT_S = 90.0


def answers_without_certificate(stack: RunningStack, service: str) -> bool:
    port = json.loads((stack.state / "run.json").read_text())["ports"][service]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=3)
        except grpc.RpcError:
            return False
    return True


def run_program(state: Path, *arguments: str) -> str:
    """A program of the Makefile, as `make` runs it."""
    environment = {**os.environ, "PROXIMITY_STATE_DIR": str(state)}
    done = subprocess.run(
        [sys.executable, "-m", *arguments], env=environment, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


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


def destroy_all_but_proxmox(state: Path) -> None:
    kept = state.with_name("pvesim")
    (state / "pvesim").rename(kept)
    shutil.rmtree(state)
    state.mkdir()
    kept.rename(state / "pvesim")


@pytest.mark.timeout(400)
def test_a_killed_and_destroyed_stack_leaves_no_process_and_comes_back_from_its_backup(
    tmp_path: Path,
) -> None:
    state, archive = tmp_path / "state", str(tmp_path / "backup.tar.gz")
    run_program(state, "deploy.import_django", "--from", make_old_database(tmp_path), "--apply")
    first = RunningStack(state, PROXIMITY_MTLS="1")  # so is every service over mutual TLS
    old = first.sign_in("root", OLD_PASSWORD)
    old.send("POST", "/core/settings/resources", {"default_memory_mb": 1024})
    kept, lost = deploy(old, "kept-1"), deploy(old, "lost-1")
    run_program(state, "deploy.recovery", "backup", archive)
    newer = deploy(old, "newer-1")
    old.send("DELETE", f"/apps/{lost['id']}", expect=202)
    old.wait_for_app(lost["id"], wanted="gone", timeout=LIMIT_S, watch=lambda _: None)
    pids = list(first.pids.values())
    assert len(pids) == 12
    first.kill()
    assert wait_until_gone(pids, timeout=10) == []
    destroy_all_but_proxmox(state)
    run_program(state, "deploy.recovery", "restore", archive)

    second = RunningStack(state, PROXIMITY_MTLS="1")
    try:
        api = second.sign_in("root", OLD_PASSWORD)
        assert api.send("GET", "/core/settings/resources")["default_memory_mb"] == 1024
        assert {app["id"] for app in api.send("GET", "/apps")["apps"]} == {kept["id"], lost["id"]}
        reconcile_until(api, {("missing", lost["lxc_id"]), ("orphan", newer["lxc_id"])})
        assert read_page(kept["url"])
        pids = list(second.pids.values())
        assert not answers_without_certificate(second, "apps")
    finally:
        took = second.stop()
    assert took < 10
    assert second.process.returncode == 0
    assert wait_until_gone(pids, timeout=1) == []
