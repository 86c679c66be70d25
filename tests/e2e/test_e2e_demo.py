"""`make demo`: an app's whole life, in one command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.stack import find_port, make_environment


@pytest.mark.timeout(300)
def test_the_demonstration_shows_every_scene_and_succeeds(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "deploy.local", "demo"],
        env=make_environment(tmp_path / "state", find_port()) | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-3000:]
    for scene in ("sign in", "deploy adminer", "back up", "change and restore", "clone", "adopt", "delete"):
        assert f"✓ {scene}" in finished.stdout
    assert "everything worked" in finished.stdout
