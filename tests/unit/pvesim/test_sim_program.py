"""The program itself: its ready line, its state across restarts and kills, its faults."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.pvesim.sim import DEBIAN, start, wait_until_saved


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


def test_it_ends_by_itself_when_asked(tmp_path: Path) -> None:
    with start(tmp_path) as sim:
        sim.process.send_signal(signal.SIGTERM)
        assert sim.process.wait(timeout=60) == 0


def test_the_state_survives_a_kill_at_any_time(tmp_path: Path) -> None:
    with start(tmp_path) as sim:
        assert sim.create(9000, hostname="kept", net0="name=eth0,bridge=vmbr0,ip=dhcp", start=1) == "OK"
        assert sim.run("POST", "/nodes/pve1/vzdump", vmid=9000, storage="backup") == "OK"
        first = dict(sim.client.ready)
        wait_until_saved(tmp_path, "volumes", "%vzdump-lxc-9000%", holding="hostname: kept")
        os.kill(sim.process.pid, signal.SIGKILL)
        sim.process.wait(timeout=60)
    with start(tmp_path) as sim:
        assert sim.client.ready["token_secret"] == first["token_secret"]
        assert sim.client.ready["fingerprint"] == first["fingerprint"]
        status = sim.call("GET", "/nodes/pve1/lxc/9000/status/current").data
        assert (status["name"], status["status"]) == ("kept", "running")
        assert len(sim.call("GET", "/nodes/pve1/storage/backup/content").data) == 1


def test_a_creation_killed_half_way_is_gone_after_the_restart(tmp_path: Path) -> None:
    with start(tmp_path) as sim:
        sim.client.control("POST", "/faults", [{"kind": "task_hang"}])
        upid = sim.call("POST", "/nodes/pve1/lxc", vmid=9000, ostemplate=DEBIAN).data
        wait_until_saved(tmp_path, "tasks", upid, holding="remove")
        assert sim.call("GET", "/nodes/pve1/lxc/9000/config").data["lock"] == "create"
    with start(tmp_path) as sim:
        assert sim.call("GET", "/cluster/nextid").data == "9000"
        assert sim.call("GET", f"/nodes/pve1/tasks/{upid}/status").data["status"] == "stopped"


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/nodes/pve1/vzdump", {"vmid": 9000, "storage": "backup"}),
        ("/nodes/pve1/lxc/9000/clone", {"newid": 9001}),
    ],
    ids=["vzdump", "vzclone"],
)
def test_a_copy_killed_while_it_hangs_leaves_no_lock_and_no_wreck(
    tmp_path: Path, path: str, options: dict[str, Any]
) -> None:
    with start(tmp_path) as sim:
        assert sim.create(9000) == "OK"
        sim.client.control("POST", "/faults", [{"kind": "task_hang"}])
        upid = sim.call("POST", path, **options).data
        wait_until_saved(tmp_path, "tasks", upid, holding='"recovery": {"')
        os.kill(sim.process.pid, signal.SIGKILL)
        sim.process.wait(timeout=60)
    with start(tmp_path) as sim:
        assert "lock" not in sim.call("GET", "/nodes/pve1/lxc/9000/config").data
        assert sim.call("GET", "/cluster/nextid").data == "9001"


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
        try:
            sim.call("POST", "/nodes/pve1/lxc", vmid=9000, ostemplate=DEBIAN)
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


def test_nodes_keep_their_order_and_addresses_over_a_restart(tmp_path: Path) -> None:
    names = ["zeus", "hera", "ares"]
    (tmp_path / "topology.json").write_text(
        json.dumps({"name": "olymp", "nodes": [{"name": one} for one in names]})
    )
    options = ("--topology", str(tmp_path / "topology.json"))
    for _ in range(2):
        with start(tmp_path / "state", *options) as sim:
            assert sim.client.ready["nodes"] == names
            assert sim.client.ready["addresses"]["zeus"] == "127.0.0.1"
            sim.process.send_signal(signal.SIGTERM)
            sim.process.wait(timeout=60)
