"""The program itself: its ready line, its state across restarts and kills, its faults."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.pvesim.replay.client import Answer, Client

START_SECONDS = 30


@dataclass
class Running:
    process: "subprocess.Popen[str]"
    client: Client

    @property
    def headers(self) -> dict[str, str]:
        ready = self.client.ready
        return {"Authorization": f"PVEAPIToken={ready['token_id']}={ready['token_secret']}"}

    def call(self, verb: str, path: str, **params: Any) -> Answer:
        return self.client.call(verb, path, params, headers=self.headers)

    def run(self, verb: str, path: str, **params: Any) -> str:
        answer = self.call(verb, path, **params)
        assert answer.status == 200, answer
        return str(self.client.wait_task(answer.data, self.headers)["data"]["exitstatus"])

    def create(self, vmid: int, **options: Any) -> str:
        template = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"
        return self.run("POST", "/nodes/pve1/lxc", vmid=vmid, ostemplate=template, **options)


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


def wait_until_saved(folder: Path, sim: Running) -> None:
    """Half a second is ten times what the program may take to write."""
    before = time.monotonic()
    while time.monotonic() - before < 0.5:
        select.select([], [], [], 0.05)
    assert (folder / "state.sqlite").exists()
    assert sim.process.poll() is None


def test_the_ready_line_says_where_it_is_and_how_to_sign_in(tmp_path: Path) -> None:
    with start(tmp_path) as sim:
        ready = sim.client.ready
        assert {"url", "host", "port", "ssh_port", "user", "password", "token_id", "token_secret"} <= set(
            ready
        )
        assert ready["url"] == f"https://127.0.0.1:{ready['port']}"
        assert ready["nodes"] == ["pve1", "pve2", "pve3"]
        login = {"username": ready["user"], "password": ready["password"]}
        assert sim.client.call("POST", "/access/ticket", login).data["username"] == "root@pam"
        assert sim.call("GET", "/cluster/nextid").data == "9000"


def test_it_ends_within_a_second_of_being_asked(tmp_path: Path) -> None:
    with start(tmp_path) as sim:
        began = time.monotonic()
        sim.process.send_signal(signal.SIGTERM)
        assert sim.process.wait(timeout=5) == 0
        assert time.monotonic() - began < 1


def test_the_state_survives_a_kill_at_any_time(tmp_path: Path) -> None:
    with start(tmp_path) as sim:
        assert sim.create(9000, hostname="kept", net0="name=eth0,bridge=vmbr0,ip=dhcp", start=1) == "OK"
        assert sim.run("POST", "/nodes/pve1/vzdump", vmid=9000, storage="backup") == "OK"
        first = dict(sim.client.ready)
        wait_until_saved(tmp_path, sim)
        os.kill(sim.process.pid, signal.SIGKILL)
        sim.process.wait(timeout=5)
    with start(tmp_path) as sim:
        assert sim.client.ready["token_secret"] == first["token_secret"]
        assert sim.client.ready["fingerprint"] == first["fingerprint"]
        status = sim.call("GET", "/nodes/pve1/lxc/9000/status/current").data
        assert (status["name"], status["status"]) == ("kept", "running")
        assert len(sim.call("GET", "/nodes/pve1/storage/backup/content").data) == 1


def test_a_creation_killed_half_way_is_gone_after_the_restart(tmp_path: Path) -> None:
    with start(tmp_path) as sim:
        sim.client.control("POST", "/faults", [{"kind": "task_hang"}])
        template = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"
        upid = sim.call("POST", "/nodes/pve1/lxc", vmid=9000, ostemplate=template).data
        wait_until_saved(tmp_path, sim)
        assert sim.call("GET", "/nodes/pve1/lxc/9000/config").data["lock"] == "create"
    with start(tmp_path) as sim:
        assert sim.call("GET", "/cluster/nextid").data == "9000"
        assert sim.call("GET", f"/nodes/pve1/tasks/{upid}/status").data["status"] == "stopped"


def test_two_run_side_by_side_on_ports_of_their_own(tmp_path: Path) -> None:
    with start(tmp_path / "a") as one, start(tmp_path / "b") as other:
        assert one.client.ready["port"] != other.client.ready["port"]
        assert one.client.ready["token_secret"] != other.client.ready["token_secret"]


def test_a_failed_task_and_a_lost_reply_happen_on_demand(tmp_path: Path) -> None:
    with start(tmp_path) as sim:
        full = {"kind": "storage_full", "match": {"type": "vzcreate"}, "times": 1}
        sim.client.control("POST", "/faults", [full])
        assert sim.create(9000) == "write error: No space left on device"
        assert sim.call("GET", "/cluster/nextid").data == "9000"
        lost = {"kind": "lost_reply", "match": {"method": "POST", "path": "/lxc$"}, "times": 1}
        sim.client.control("POST", "/faults", [lost])
        template = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst"
        try:
            sim.call("POST", "/nodes/pve1/lxc", vmid=9000, ostemplate=template)
        except OSError:
            pass
        else:
            raise AssertionError("the reply was to be lost")
        assert sim.call("GET", "/cluster/nextid").data == "9001"


def test_every_request_is_on_record_with_the_schemas_verdict(tmp_path: Path) -> None:
    with start(tmp_path) as sim:
        sim.call("GET", "/cluster/resources", type="vm")
        sim.call("GET", "/cluster/resources", type="lxc")
        seen = sim.client.control("GET", "/requests")
        assert [(one["status"], one["accepted"]) for one in seen] == [(200, True), (400, False)]
        assert "type" in seen[1]["errors"]


def test_strangers_appear_and_stop_outside_the_api(tmp_path: Path) -> None:
    with start(tmp_path, "--preset", "empty", "--nodes", "1") as sim:
        sim.client.control("POST", "/containers", {"vmid": 300, "hostname": "stranger", "running": True})
        assert sim.call("GET", "/nodes/pve1/lxc/300/status/current").data["status"] == "running"
        sim.client.control("POST", "/containers/300/stop")
        assert sim.call("GET", "/nodes/pve1/lxc/300/status/current").data["status"] == "stopped"
        assert sim.client.control("GET", "/state")["containers"]["300"]["running"] is False
