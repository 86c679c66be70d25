"""Whatever the machine around the command line is like, its faults are sentences with an exit status."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from proximity_cli import hosts
from proximity_cli.__main__ import main
from proximity_cli.failures import CliError
from proximity_cli.inputs import confirm, prompt, read_line
from proximity_cli.session import parse_address, read_session

URL = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def session_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PROXIMITY_CONFIG_DIR", str(tmp_path))
    for name in ("PROXIMITY_TOKEN", "PROXIMITY_URL", "PROXIMITY_CA_FILE", "PROXIMITY_FINGERPRINT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "session.json"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[1]",
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"access": "a"}',
        b'{"url": 5, "access": "a"}',
        b'{"url": "http://127.0.0.1:1", "access": null}',
        b'{"url": "http://127.0.0.1:1", "access": "a", "refresh": "b", "expires_at": "x"}',
        b'{"url": "https://127.0.0.1:1", "access": "a", "pin": 5}',
        b'{"url": "http://127.0.0.1:1", "access": "a\\nb"}',
    ],
)
def test_a_file_that_is_no_session_is_named(
    content: bytes, session_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session_file.write_bytes(content)
    assert main(["apps"]) == 3
    assert str(session_file) in capsys.readouterr().err


def test_a_session_of_a_newer_release_is_read(session_file: Path) -> None:
    session_file.write_text(json.dumps({"url": URL, "access": "a", "added_later": 1}))
    assert read_session().access == "a"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://pve.lan:8000/", "http://pve.lan:8000"),
        ("http://127.0.0.1:8000/api", "http://127.0.0.1:8000"),  # as `make run` prints it
        (" HTTPS://pve.lan ", "https://pve.lan"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_an_address_is_read(text: str, address: str) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["", "pve.lan", "ftp://pve", "http://", "http://h:x", "http://h:99999", "http://[::1", "http://h/x"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(CliError, match="is no address") as refused:
        parse_address(text)
    assert refused.value.status == 2


def test_a_password_in_an_address_is_refused_without_printing_it() -> None:
    with pytest.raises(CliError, match="no password in it") as refused:
        parse_address("http://admin:hunter22@pve.lan")
    assert "hunter22" not in str(refused.value)


def test_a_token_with_a_line_feed_behind_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROXIMITY_TOKEN", "prx_1\n")
    monkeypatch.setenv("PROXIMITY_URL", f"{URL}/")
    assert (read_session().access, read_session().url) == ("prx_1", URL)


@pytest.mark.parametrize("token", ["prx\n1", "pr\u00e4"])
def test_a_token_that_no_header_can_carry_is_refused(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROXIMITY_TOKEN", token)
    assert main(["apps"]) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ["hosts", "add", "n", "h", "--password", "@{file}"],
        ["export", "web-1", "{file}.json", "--passphrase-file", "{file}"],
        ["import", "{file}"],
        ["login", "https://127.0.0.1:1", "--ca", "{file}", "-u", "a", "--password-stdin"],
        ["show", "\udcff"],
    ],
)
def test_what_is_no_text_is_named(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "binary"
    file.write_bytes(b"\xd0\x00\xff")
    assert main([each.format(file=file) for each in arguments]) == 2
    assert "no text in UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["audit", "--since", "yesterday"], "--since: 'yesterday' is no time; write it as 20"),
        (["hosts", "show", "9" * 20], "id: 99999999999999999999 is out of range"),
        (["users", "change", "2", "--quota", "[1]"], "--quota: '[1]' cannot be read"),
        (["users", "change", "2", "--quota", "[" * 100_000], "is not JSON"),
    ],
)
def test_a_value_that_no_field_can_have_is_named(
    arguments: list[str], fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr().err
    assert fault in printed
    assert len(printed) < 500


def test_standard_input_may_be_closed_or_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    for call in (lambda: read_line("the password"), lambda: confirm("Delete it?")):
        with pytest.raises(CliError) as refused:
            call()
        assert refused.value.status == 2
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\n"), encoding="utf-8"))
    with pytest.raises(CliError, match="no text in UTF-8"):
        read_line("the password")


def test_a_prompt_that_the_person_ends_is_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(KeyboardInterrupt):
        prompt("Username")


def test_a_terminal_without_utf_8_gets_escapes(session_file: Path) -> None:
    session_file.write_text(json.dumps({"url": URL, "access": "a"}))
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    arguments = [sys.executable, "-m", "proximity_cli", "logout"]
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "\\u2713 signed out\n")


def test_a_fault_of_the_program_itself_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hosts, "connect", lambda: 1 // 0)
    assert main(["nodes"]) == 1
    printed = capsys.readouterr().err
    assert "ZeroDivisionError at " in printed
    assert "Traceback" not in printed
