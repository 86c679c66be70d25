"""An app moves to another Proxmox host by its document and a copy of its archive, as docs/backups.md says."""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.command_line import LIMIT_S, Terminal
from tests.e2e.simulators import Simulator
from tests.e2e.stack import RunningStack
from tests.pages import read_commands, run_commands
from tests.pvesim.presets import PASSWORD
from tests.unit.pvesim.sim import Running, start

SECRET = "s3cret-of-the-shop"


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Running]:
    with start(tmp_path / "pve-2") as sim:
        yield sim


def copy_archive(source: Simulator, target: Simulator, volume_id: str) -> None:
    """Copy the file to the other node, under its name, as scp does."""
    [volume] = [
        one for one in source.list_volumes("backup") if f"{one['storage']}:{one['name']}" == volume_id
    ]
    target.add_volume({**volume, "storage": "local", "node": "pve1"})


def test_an_app_moves_with_its_data_and_secrets(stack: RunningStack, other: Running, tmp_path: Path) -> None:
    terminal, api = Terminal(tmp_path / "session"), stack.sign_in()
    terminal.sign_in(stack.url)
    hostname = f"shop-{uuid.uuid4().hex[:6]}"
    app = terminal.read("deploy", "whoami", hostname, "--memory", "512", "--env", f"TOKEN_OF_SHOP={SECRET}")
    (tmp_path / "passphrase.txt").write_text("correct horse battery staple\n")
    ready = other.client.ready
    host = api.send(
        "POST",
        "/proxmox/hosts",
        {"name": f"pve-{hostname}", "host": ready["host"], "port": ready["port"], "ssh_port": ready["ssh_port"],
         "fingerprint": ready["fingerprint"], "password": PASSWORD},
    )  # fmt: skip
    api.send("POST", f"/proxmox/hosts/{host['id']}/sync-nodes", {})

    def run(block: str) -> str:
        for said, meant in {
            "shop-1a2b3c4d": app["id"],
            "shop.json": str(tmp_path / "shop.json"),
            "passphrase.txt": str(tmp_path / "passphrase.txt"),
            "--host 2": f"--host {host['id']} --hostname {hostname}-2",
        }.items():
            block = block.replace(said, meant)
        return run_commands(block, environment={**os.environ, **terminal.environment}, timeout=LIMIT_S)

    back_up, move = read_commands("docs/backups.md", by=__file__)
    exported = run(back_up)
    document = tmp_path / "shop.json"
    assert stat.S_IMODE(document.stat().st_mode) == 0o600
    assert SECRET not in document.read_text()
    [volume_id] = [line.split()[-1] for line in exported.splitlines() if line.strip().startswith("archive")]
    copy_archive(Simulator(stack.simulator), Simulator(ready), volume_id)

    before = api.send("GET", f"/apps/{app['id']}")
    run(move)
    moved = next(one for one in terminal.read("apps", "--search", f"{hostname}-2"))
    assert (moved["status"], moved["host_id"], moved["hostname"]) == ("running", host["id"], f"{hostname}-2")
    assert terminal.read("reveal", moved["id"], "TOKEN_OF_SHOP")["values"] == {"TOKEN_OF_SHOP": SECRET}
    assert moved["lxc_id"] in Simulator(ready).list_vmids()
    after = api.send("GET", f"/apps/{app['id']}")
    assert {name: after[name] for name in ("status", "lxc_id", "node", "host_id")} == {
        name: before[name] for name in ("status", "lxc_id", "node", "host_id")
    }
    for one in (moved, app):
        terminal.run("delete", one["id"], "--yes", "--backups", "delete")
    api.send("DELETE", f"/proxmox/hosts/{host['id']}")
