"""Ways into a container: SSH to its node, the console through the API, its app's port."""

import os
import signal
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import aiohttp
import asyncssh

from tests.unit.pvesim.sim import Running, start, wait_until_saved

COMPOSE = """services:
  web:
    image: nginx:1.27
    restart: unless-stopped
    ports: ["8080:80"]
    volumes: ["data:/usr/share/nginx/html"]
volumes:
  data: {}
"""
NET = "name=eth0,bridge=vmbr0,ip=dhcp"


async def run_commands(sim: Running, *lines: str) -> list[asyncssh.SSHCompletedProcess]:
    ready = sim.client.ready
    async with asyncssh.connect(
        ready["host"], ready["ssh_port"], username="root", password=ready["password"], known_hosts=None
    ) as connection:
        return [await connection.run(line) for line in lines]


async def deploy(sim: Running, vmid: int) -> str:
    assert sim.create(vmid, net0=NET, features="nesting=1", cmode="shell", start=1) == "OK"
    done = await run_commands(
        sim,
        f"pct exec {vmid} -- sh -c 'apt-get update && apt-get install -y docker.io docker-compose && mkdir -p /opt/app'",
        f"cat > /tmp/compose.yaml <<'EOF'\n{COMPOSE}EOF",
        f"pct push {vmid} /tmp/compose.yaml /opt/app/compose.yaml",
        f"pct exec {vmid} -- docker-compose -f /opt/app/compose.yaml up -d",
    )
    assert [one.exit_status for one in done] == [0, 0, 0, 0], [one.stderr for one in done]
    return sim.find_address(vmid)


def fetch(url: str, data: bytes | None = None) -> bytes:
    method = "PUT" if data is not None else "GET"
    with urlopen(Request(url, data=data, method=method), timeout=60) as response:
        return bytes(response.read())


async def test_an_app_deployed_over_ssh_answers_and_comes_back_after_a_kill(tmp_path: Path) -> None:
    with start(tmp_path) as sim:
        address = await deploy(sim, 9000)
        assert b"nginx:1.27" in fetch(f"http://{address}:8080/")
        fetch(f"http://{address}:8080/_data/page.html", b"mine")
        wait_until_saved(tmp_path, "containers", "9000", holding="mine")
        os.kill(sim.process.pid, signal.SIGKILL)
        sim.process.wait(timeout=60)
    with start(tmp_path) as sim:
        assert sim.find_address(9000) == address
        assert fetch(f"http://{address}:8080/_data/page.html") == b"mine"


async def test_a_restore_brings_the_apps_data_back(tmp_path: Path) -> None:
    with start(tmp_path) as sim:
        address = await deploy(sim, 9000)
        page = f"http://{address}:8080/_data/page.html"
        fetch(page, b"before")
        assert sim.run("POST", "/nodes/pve1/vzdump", vmid=9000, storage="backup") == "OK"
        fetch(page, b"after")
        archive = sim.call("GET", "/nodes/pve1/storage/backup/content").data[0]["volid"]
        assert sim.run("POST", "/nodes/pve1/lxc/9000/status/stop") == "OK"
        restore = {"vmid": 9000, "ostemplate": archive, "restore": 1, "force": 1, "start": 1}
        assert sim.run("POST", "/nodes/pve1/lxc", **restore) == "OK"
        assert fetch(page) == b"before"


async def test_the_console_runs_commands_with_a_token_alone(tmp_path: Path) -> None:
    with start(tmp_path) as sim:
        assert sim.create(9000, cmode="shell", start=1) == "OK"
        ticket = sim.call("POST", "/nodes/pve1/lxc/9000/termproxy").data
        shown = await use_console(sim, ticket, "echo BE''GIN; id -u; echo E''ND $?\n", until=b"END 0")
        assert b"BEGIN\r\n0\r\nEND 0" in shown
        again = sim.call("GET", websocket_path(ticket))
        assert (again.status, again.reason) == (401, "permission denied - invalid PVEVNC ticket")
        status = sim.client.wait_task(ticket["upid"], sim.headers)
        assert status["data"]["exitstatus"] == "OK"


def websocket_path(ticket: dict[str, Any]) -> str:
    query = f"port={ticket['port']}&vncticket={quote(ticket['ticket'], safe='')}"
    return f"/nodes/pve1/lxc/9000/vncwebsocket?{query}"


async def use_console(sim: Running, ticket: dict[str, Any], typed: str, *, until: bytes) -> bytes:
    url = f"{sim.client.ready['url']}/api2/json{websocket_path(ticket)}"
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
        session.ws_connect(url, ssl=False, protocols=["binary"], headers=sim.headers) as socket,
    ):
        await socket.send_bytes(f"{ticket['user']}:{ticket['ticket']}\n".encode())
        assert (await socket.receive(timeout=60)).data == b"OK"
        while b"# " not in (await socket.receive(timeout=60)).data:
            continue  # what is typed before the prompt is lost
        frame = f"0:{len(typed.encode())}:{typed}".encode()
        await socket.send_bytes(b"1:80:24:2" + frame[:5])
        await socket.send_bytes(frame[5:])
        shown = b""
        while until not in shown:
            shown += (await socket.receive(timeout=60)).data
        return shown


async def test_a_node_runs_pct_for_its_own_containers(tmp_path: Path) -> None:
    with start(tmp_path) as sim:
        assert sim.create(9000) == "OK"
        ready = sim.client.ready
        own = await run_commands(sim, "pct status 9000", "cat /etc/pve/lxc/9000.conf")
        assert own[0].stdout == "status: stopped\n"
        assert "hostname: CT9000" in str(own[1].stdout)
        async with asyncssh.connect(
            ready["addresses"]["pve2"],
            ready["ssh_port"],
            username="root",
            password="secret123",
            known_hosts=None,
        ) as other:
            foreign = await other.run("pct status 9000")
        assert foreign.exit_status != 0
