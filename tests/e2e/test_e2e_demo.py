"""`make demo`: an app's whole life, in one command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.e2e.stack import RunningStack, find_port, make_environment


@pytest.mark.timeout(900)
def test_the_demonstration_shows_every_scene_and_succeeds(tmp_path: Path) -> None:
    """As an ordinary account, which may not open ports below 1024."""
    ordinary = ["setpriv", "--bounding-set", "-net_bind_service"] if os.geteuid() == 0 else []
    finished = subprocess.run(
        [*ordinary, sys.executable, "-m", "deploy.local", "demo"],
        env=make_environment(tmp_path / "state", find_port()) | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
    for scene in ("sign in", "deploy adminer", "back up", "change and restore", "clone", "adopt", "delete"):
        assert f"✓ {scene}" in finished.stdout
    assert "everything worked" in finished.stdout


@pytest.mark.timeout(400)
def test_a_state_of_another_administrator_is_refused_with_what_to_do(tmp_path: Path) -> None:
    stack = RunningStack(tmp_path / "state", REQUIRE_HTTPS="1")  # it becomes ready by https alone
    answer = requests.get(f"{stack.url}/api/health", allow_redirects=False, timeout=30)
    stack.stop()
    assert answer.headers["location"] == f"https://127.0.0.1:{stack.port}/api/health"
    environment = make_environment(tmp_path / "state", find_port()) | {"COLUMNS": "2000"}
    finished = subprocess.run(
        [sys.executable, "-m", "deploy.local", "demo"],
        env=environment | {"PROXIMITY_ADMIN_USERNAME": "another"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert finished.returncode == 1
    assert "'another' has another password or is not one of them" in finished.stdout
    assert "PROXIMITY_STATE_DIR=.proximity-demo make demo" in finished.stdout
