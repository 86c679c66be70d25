"""The runner's own promises: it ends in time, leaves nothing behind, and starts again on what was there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.stack import RunningStack, wait_until_gone


@pytest.mark.timeout(300)
def test_a_killed_stack_leaves_no_process_and_starts_again_with_its_data(tmp_path: Path) -> None:
    first = RunningStack(tmp_path / "state")
    first.sign_in().send("POST", "/core/settings/resources", {"default_memory_mb": 1024})
    pids = list(first.pids.values())
    assert len(pids) == 11
    first.kill()
    assert wait_until_gone(pids, timeout=10) == []

    second = RunningStack(tmp_path / "state")
    try:
        settings = second.sign_in().send("GET", "/core/settings/resources")
        assert settings["default_memory_mb"] == 1024
        pids = list(second.pids.values())
    finally:
        took = second.stop()
    assert took < 10
    assert second.process.returncode == 0
    assert wait_until_gone(pids, timeout=1) == []
