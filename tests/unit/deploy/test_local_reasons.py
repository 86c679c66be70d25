"""Whoever cannot start the platform is told why, in a sentence that names what to change."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from deploy.local.__main__ import main
from deploy.local.stack import find_obstacle


def test_a_port_that_is_taken_and_an_address_that_is_not_ours_are_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert "choose another one with PROXIMITY_PORT" in find_obstacle("127.0.0.1", port)
    assert find_obstacle("127.0.0.1", port) == ""
    assert "PROXIMITY_HOST" in find_obstacle("192.0.2.1", port)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("PROXIMITY_PORT", "abc", "PROXIMITY_PORT: 'abc' is not a whole number"),
        ("PROXIMITY_STATE_DIR", "{folder}/file/state", "cannot be written: Not a directory"),
    ],
)
def test_what_is_set_wrongly_is_named(
    name: str,
    value: str,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("PROXIMITY_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv(name, value.format(folder=tmp_path))
    assert main(["run"]) in {1, 2}
    assert reason in capsys.readouterr().err


def test_a_command_of_a_service_wants_a_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROXIMITY_STATE_DIR", str(tmp_path / "none"))
    assert main(["service", "auth", "audit", "verify"]) == 1
    assert "there is no state" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
