"""A whole platform in a process of its own: every service, NATS, Envoy and the simulated Proxmox."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from deploy.local.api import Api

USERNAME = "admin"
PASSWORD = "first-of-many-9"
START_S = 300.0  # an idle machine takes 5 s; it only ends the wait for a stack that will never be ready
STOP_S = 60.0  # the runner itself kills what does not end within 10 s


def find_port() -> int:
    """A port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def make_environment(state: Path, port: int) -> dict[str, str]:
    """The environment of a stack of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PROXMOX_")}
    for name in ("DATABASE_URL", "NATS_URL", "SECRET_KEY"):
        kept.pop(name, None)
    sources = state / "sources"
    sources.mkdir(parents=True, exist_ok=True)
    return kept | {
        "PROXIMITY_STATE_DIR": str(state),
        "PROXIMITY_PORT": str(port),
        "PROXIMITY_ADMIN_USERNAME": USERNAME,
        "PROXIMITY_ADMIN_PASSWORD": PASSWORD,
        "CATALOG_SOURCE_ROOTS": str(sources),
        "PVESIM_TASK_SECONDS": "0.05",
    }


def read_name(process: psutil.Process) -> str:
    """Return the name of a process, or "" when it has ended meanwhile: short-lived ones come and go."""
    try:
        return str(process.name())
    except psutil.NoSuchProcess:
        return ""


class RunningStack:
    """`python -m deploy.local run` on a state directory; `url` is the gateway, `more` goes into the environment."""

    def __init__(self, state: Path, **more: str) -> None:
        self.state = state
        self.port = find_port()
        self.url = f"http://127.0.0.1:{self.port}"
        state.mkdir(parents=True, exist_ok=True)
        (state / "run.json").unlink(missing_ok=True)
        self._output = state / "runner.log"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "deploy.local", "run"],
                env=make_environment(state, self.port) | more,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            if (self.state / "run.json").exists():
                return
            time.sleep(0.05)
        said = self._output.read_text()
        self.stop()
        raise AssertionError(f"the stack did not become ready: {said[-3000:]}")

    @property
    def pids(self) -> dict[str, int]:
        """The processes as they were when it became ready."""
        found: dict[str, int] = json.loads((self.state / "run.json").read_text())["pids"]
        return found

    def nats_url(self, user: str = "") -> str:
        """Where its NATS is, with the credentials of a user; without any where none is named."""
        port = json.loads((self.state / "run.json").read_text())["ports"]["nats"]
        who = f"{user}:{(self.state / 'keys' / f'nats_{user}').read_text()}@" if user else ""
        return f"nats://{who}127.0.0.1:{port}"

    @property
    def simulator(self) -> dict[str, Any]:
        """What the simulated Proxmox says of itself."""
        found: dict[str, Any] = json.loads((self.state / "pvesim.json").read_text())
        return found

    def sign_in(self, username: str = USERNAME, password: str = PASSWORD) -> Api:
        """A signed-in client."""
        api = Api(self.url)
        api.sign_in(username, password)
        return api

    def resume(self, token: str) -> Api:
        """A client with an access token from before."""
        api = Api(self.url)
        api.use_token(token)
        return api

    def kill_process(self, name: str, command: str = "serve") -> None:
        """End one process of it, which is started again."""
        self.find_process(name if command == "serve" else f"{name}-worker").kill()

    def find_process(self, name: str) -> psutil.Process:
        """One process of it as it is now."""
        mine = psutil.Process(self.process.pid).children(recursive=True)
        [found] = [each for each in mine if read_name(each) == name]
        return found

    def kill(self) -> None:
        """End the runner without a chance to say goodbye."""
        self.process.kill()
        self.process.wait(STOP_S)

    def stop(self) -> float:
        """Ask it to end; returns the seconds it took."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(STOP_S)
        return time.monotonic() - began


def wait_until_gone(pids: list[int], *, timeout: float) -> list[int]:
    """Wait until no process is left; returns those that are."""
    deadline = time.monotonic() + timeout
    left = list(pids)
    while left and time.monotonic() < deadline:
        left = [pid for pid in left if _is_alive(pid)]
        time.sleep(0.02)
    return left


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
