"""The session of the command line: for which address it is, whom it trusts, and who is asked for a password."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb
from proximity_cli.__main__ import main
from proximity_cli.failures import NOT_SIGNED_IN
from proximity_cli.following import show_progress
from proximity_cli.output import complaints
from proximity_cli.session import Session, read_session, write_session

URL = "https://127.0.0.1:1"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROXIMITY_CONFIG_DIR", str(tmp_path))
    for name in ("PROXIMITY_URL", "PROXIMITY_TOKEN", "PROXIMITY_CA_FILE", "PROXIMITY_FINGERPRINT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_a_session_is_not_used_for_another_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_session(Session(URL, access="a"))
    monkeypatch.setenv("PROXIMITY_URL", f"{URL}/")
    assert read_session().access == "a"
    monkeypatch.setenv("PROXIMITY_URL", "https://elsewhere.example")
    assert main(["apps"]) == NOT_SIGNED_IN
    said = capsys.readouterr().err
    assert "https://elsewhere.example" in said
    assert URL in said


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [(["login", URL], "--username"), (["redeem", f"{URL}/api/auth/redeem#t"], "--password-stdin")],
)
def test_nobody_is_asked_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], remedy: str
) -> None:
    monkeypatch.setattr("proximity_cli.accounts.check_trust", lambda _: None)
    monkeypatch.setattr("sys.stdin", io.StringIO("answer\n"))
    assert main(arguments) == 2
    assert remedy in capsys.readouterr().err


def test_a_file_without_certificates_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "ca.pem").write_text("no certificate\n", encoding="utf-8")
    monkeypatch.setenv("PROXIMITY_URL", URL)
    monkeypatch.setenv("PROXIMITY_TOKEN", "prx_x")
    monkeypatch.setenv("PROXIMITY_CA_FILE", str(folder / "ca.pem"))
    assert main(["apps"]) == 1
    assert "certificates to trust" in capsys.readouterr().err


def test_work_that_is_done_is_done_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert not complaints.is_terminal
    with show_progress("Deploying web") as show:
        show(pb.AppStatus(status="deploying", step_description="Starting", progress=40))
        show(pb.AppStatus(status="running"))
    assert capsys.readouterr().err.splitlines() == [
        "Deploying web: Starting (40 %)",
        "Deploying web: running (100 %)",
    ]
