"""A real NATS server."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[str]:
    port = find_free_port()
    program = Path(sys.executable).parent / "nats-server"
    command = [
        str(program),
        "--jetstream",
        "--store_dir",
        str(tmp_path / "nats"),
        "--addr",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        yield f"nats://127.0.0.1:{port}"
        process.terminate()
        process.wait(10)


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
