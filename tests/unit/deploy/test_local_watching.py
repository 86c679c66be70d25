"""Logs of a local stack do not grow for ever."""

from __future__ import annotations

from pathlib import Path

from deploy.local.watching import trim_logs


def test_a_long_log_begins_anew_for_who_writes_on_and_is_kept_once(tmp_path: Path) -> None:
    (tmp_path / "short.log").write_text("short")
    with (tmp_path / "long.log").open("a") as log:
        log.write("x" * 100)
        log.flush()
        trim_logs(tmp_path, 50)
        log.write("later")
    found = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert found == {"short.log": "short", "long.log": "later", "long.log.1": "x" * 100}


def test_a_log_that_cannot_be_kept_gives_way(tmp_path: Path) -> None:
    (tmp_path / "long.log").write_text("x" * 100)
    (tmp_path / "long.log.1").symlink_to("/dev/full")
    trim_logs(tmp_path, 50)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("long.log", "")]
