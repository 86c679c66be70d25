"""Other accounts of the machine on which a local stack runs: they read nothing of it and give it no orders."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from services.registry import SERVICES
from tests.e2e.stack import RunningStack

_TRY = """
import json, os, socket, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)  # here, for Python itself may be where that account cannot start it
found = []
for path in json.loads(sys.argv[1]):
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
            found.append(path)
        except PermissionError:
            pass
for folder in json.loads(sys.argv[2]):
    for path in (folder, *(os.path.join(folder, name) for name in json.loads(sys.argv[3]))):
        try:
            os.listdir(path) if os.path.isdir(path) else open(path, 'rb').close()
            found.append(path)
        except (PermissionError, FileNotFoundError):
            pass
print(json.dumps(found))
"""


def list_processes(stack: RunningStack) -> list[psutil.Process]:
    return psutil.Process(stack.process.pid).children(recursive=True)


def list_ports(stack: RunningStack) -> set[int]:
    """The TCP ports on which its processes listen."""
    return {
        connection.laddr.port
        for process in list_processes(stack)
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def test_only_the_gateway_nats_and_the_simulated_proxmox_listen_on_ports(stack: RunningStack) -> None:
    ports = json.loads((stack.state / "run.json").read_text())["ports"]
    simulated = list_ports_of(stack, "tests.pvesim")
    assert {ports["nats"], stack.port} <= list_ports(stack)
    assert list_ports(stack) - simulated == {stack.port, ports["nats"]}


def list_ports_of(stack: RunningStack, word: str) -> set[int]:
    return {
        connection.laddr.port
        for process in list_processes(stack)
        if any(word in part for part in process.cmdline())
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def test_every_file_and_socket_of_the_state_is_its_account_s_alone(stack: RunningStack) -> None:
    open_to_others, sockets = [], set()
    for folder, folders, files in os.walk(stack.state):
        for name in (*folders, *files):
            path = Path(folder) / name
            try:
                mode = path.lstat().st_mode
            except FileNotFoundError:  # databases come and go with their journals
                continue
            if stat.S_ISSOCK(mode):
                sockets.add(path.name)
            if mode & 0o077 and not stat.S_ISLNK(mode) and folder != str(stack.state / "sources"):
                open_to_others.append(str(path))
    # What the test itself made before the stack started.
    assert set(open_to_others) <= {str(stack.state / "sources")}
    assert stack.state.stat().st_mode & 0o077 == 0
    running = json.loads((stack.state / "run.json").read_text())["sockets"]
    assert {f"{name}.sock" for name in (*SERVICES, "admin")} == {Path(path).name for path in running.values()}
    if Path(running["auth"]).parent == stack.state / "sockets":
        assert {Path(path).name for path in running.values()} <= sockets


@pytest.mark.skipif(
    os.getuid() != 0, reason="only root can become another account; the modes are tested above"
)
def test_another_account_connects_to_no_socket_and_reads_no_file(stack: RunningStack) -> None:
    sockets = list(json.loads((stack.state / "run.json").read_text())["sockets"].values())
    names = [
        "db/proximity-auth.sqlite3",
        "keys",
        "keys/secret_key",
        "logs",
        "logs/auth.log",
        "nats.conf",
        "nats",
    ]
    above = [folder for folder in stack.state.parents if folder.stat().st_mode & 0o001 == 0]
    modes = {folder: folder.stat().st_mode for folder in above}
    try:
        for folder in above:  # so that the state directory's own modes are what is tested
            folder.chmod(stat.S_IMODE(modes[folder]) | 0o001)
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                _TRY,
                json.dumps(sockets),
                json.dumps([str(stack.state)]),
                json.dumps(names),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            cwd="/",
        )
    finally:
        for folder, mode in modes.items():
            folder.chmod(stat.S_IMODE(mode))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_nats_answers_no_one_without_credentials(stack: RunningStack) -> None:
    port = json.loads((stack.state / "run.json").read_text())["ports"]["nats"]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b'CONNECT {"verbose":false}\r\nPING\r\n')
        said = b""
        while chunk := client.recv(4096):
            said += chunk
    assert b"Authorization Violation" in said
    assert b"PONG" not in said


def test_no_log_has_a_password_of_nats(stack: RunningStack) -> None:
    passwords = [file.read_text() for file in (stack.state / "keys").glob("nats_*")]
    assert len(passwords) >= 8
    logs = [file.read_text("utf-8", errors="replace") for file in (stack.state / "logs").iterdir()]
    assert [password for password in passwords if any(password in log for log in logs)] == []
