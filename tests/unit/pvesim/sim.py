"""The program started for a test."""

import base64
import json
import select
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.pvesim.replay.client import Answer, Client

START_SECONDS = 90
SAVE_SECONDS = 30
DEBIAN = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"


@dataclass
class Running:
    process: "subprocess.Popen[str]"
    client: Client

    @property
    def headers(self) -> dict[str, str]:
        ready = self.client.ready
        return {"Authorization": f"PVEAPIToken={ready['token_id']}={ready['token_secret']}"}

    def call(self, verb: str, path: str, /, **params: Any) -> Answer:
        return self.client.call(verb, path, params, headers=self.headers)

    def run(self, verb: str, path: str, /, **params: Any) -> str:
        answer = self.call(verb, path, **params)
        assert answer.status == 200, answer
        return str(self.client.wait_task(answer.data, self.headers)["data"]["exitstatus"])

    def create(self, vmid: int, **options: Any) -> str:
        return self.run("POST", "/nodes/pve1/lxc", vmid=vmid, ostemplate=DEBIAN, **options)

    def find_address(self, vmid: int) -> str:
        interfaces = self.call("GET", f"/nodes/pve1/lxc/{vmid}/interfaces").data
        return str(interfaces[1]["inet"]).split("/")[0]


@contextmanager
def start(folder: Path, *options: str) -> Iterator[Running]:
    command = [
        sys.executable,
        "-m",
        "tests.pvesim",
        "--state-dir",
        str(folder),
        "--task-seconds",
        "0",
        *options,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], START_SECONDS)[0], "not ready in time"
            yield Running(process, Client(json.loads(process.stdout.readline())))
        finally:
            process.kill()


def wait_until_saved(folder: Path, kind: str, key: str, *, holding: str) -> None:
    """Wait until the state on disk has that record with that text in it, base64 or plain."""
    encoded = base64.b64encode(holding.encode()).decode().rstrip("=")
    end = time.monotonic() + SAVE_SECONDS
    while time.monotonic() < end:
        with closing(sqlite3.connect(folder / "state.sqlite", timeout=SAVE_SECONDS)) as db:
            query = "SELECT data FROM records WHERE kind = ? AND key LIKE ?"
            found = [row[0] for row in db.execute(query, (kind, key))]
        if any(holding in data or encoded in data for data in found):
            return
        select.select([], [], [], 0.01)
    raise AssertionError(f"{kind} {key} with {holding!r} was not saved within {SAVE_SECONDS} s")
