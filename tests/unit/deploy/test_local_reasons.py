"""Whoever cannot start the platform is told why, in a sentence that names what to change."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.__main__ import main
from deploy.local.reaching import find_nats_fault
from deploy.local.stack import find_host_fault, find_obstacle


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


def test_a_nats_that_is_not_there_is_named_without_its_password() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    fault = _ask_nats(f"nats://someone:secret@127.0.0.1:{port},nats://127.0.0.1:99999")
    reasons = f"127.0.0.1:{port} cannot be reached: Connection refused; Port out of range 0-65535"
    assert fault == f"NATS_URL: {reasons}"


def test_a_nats_without_jetstream_is_told_from_one_that_will_do(tmp_path: Path) -> None:
    with run_nats(tmp_path / "plain") as url:
        assert _ask_nats(url).endswith("runs without JetStream (nats-server -js)")
    with run_nats(tmp_path / "full", "-js", "-sd", str(tmp_path)) as url:
        assert _ask_nats(f"nats://127.0.0.1:99999,{url}") == ""


def _ask_nats(url: str) -> str:
    return asyncio.run(find_nats_fault(url, patience=0))


@contextmanager
def run_nats(folder: Path, *options: str) -> Iterator[str]:
    """A server on a port of its choice, which it writes down."""
    program = Path(sysconfig.get_path("scripts")) / "nats-server"
    folder.mkdir()
    arguments = (str(program), "-a", "127.0.0.1", "-p", "-1", "--ports_file_dir", str(folder), *options)
    with subprocess.Popen(arguments, stderr=subprocess.DEVNULL) as running:
        try:
            yield _read_url(folder)
        finally:
            running.terminate()


def _read_url(folder: Path) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for file in folder.glob("*.ports"):
            if text := file.read_text():
                return str(json.loads(text)["nats"][0])
        time.sleep(0.01)
    raise AssertionError("no server wrote down its port")


HOST_FAULT = "credentials are refused by Proxmox host default: PUT /api/proxmox/hosts/ID sets others"


@pytest.mark.parametrize(
    ("services", "messaging", "fault"),
    [
        ({"auth": "connected", "inventory": f"error: {HOST_FAULT}"}, "connected", HOST_FAULT),
        ({"auth": "error: unavailable", "inventory": f"error: {HOST_FAULT}"}, "connected", ""),
        ({"auth": "connected", "inventory": f"error: {HOST_FAULT}"}, "error: timed out", ""),
        ({"auth": "connected", "inventory": "error: timed out"}, "connected", ""),
        ({"auth": "connected", "inventory": "connected"}, "connected", ""),
    ],
)
def test_the_platform_is_ready_without_its_proxmox_host_alone(
    services: dict[str, str], messaging: str, fault: str
) -> None:
    health = {"database": "connected", "cache": "connected", "messaging": messaging, "services": services}
    assert find_host_fault(health) == fault
