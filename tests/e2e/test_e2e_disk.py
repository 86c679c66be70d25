"""A NATS that could not write its files: it is started again once it can, and what waited for it is done."""

from __future__ import annotations

import resource
import time
import uuid

import psutil
import pytest
import requests

from tests.e2e.stack import RunningStack

LIMIT_S = 300.0


def find_nats(stack: RunningStack) -> psutil.Process | None:
    children = psutil.Process(stack.process.pid).children()
    return next((each for each in children if each.name() == "nats-server"), None)


def fill_disk_of(process: psutil.Process) -> None:
    """No file of its grows any more; the one that is started next knows nothing of that."""
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))


@pytest.mark.timeout(900)
def test_work_goes_on_and_nats_comes_back_after_its_disk_was_full(stack: RunningStack) -> None:
    api, full = stack.sign_in(), find_nats(stack)
    assert full is not None
    fill_disk_of(full)
    body = {"catalog_id": "adminer", "hostname": f"disk-{uuid.uuid4().hex[:8]}"}
    app_id = api.send("POST", "/apps", body, expect=201)["id"]
    api.wait_for_app(app_id, wanted="running", timeout=LIMIT_S, watch=lambda _: None)
    deadline = time.monotonic() + LIMIT_S
    while (now := find_nats(stack)) is None or now.pid == full.pid or not is_healthy(stack):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    api.send("DELETE", f"/apps/{app_id}", expect=202)
    api.wait_for_app(app_id, wanted="gone", timeout=LIMIT_S, watch=lambda _: None)


def is_healthy(stack: RunningStack) -> bool:
    health = requests.get(f"{stack.url}/api/health", timeout=10).json()
    return bool(health["status"] == "healthy")
