"""NATS of a local stack: its configuration, the URLs of the processes that use it, and whether it can write."""

from __future__ import annotations

import asyncio
import json
import os
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deploy.local.process import Spec
from deploy.local.settings import LocalSettings
from deploy.local.state import ensure_secret, write_secret
from deploy.nats.access import SYSTEM, USERS, render_users
from services.registry import PROCESSES

_MOST_IN_NATS = "8G"  # as deploy/nats/nats.conf; what streams may hold together is less
_ANSWER_S = 2.0  # the server is on this machine


def make_passwords(keys: Path) -> dict[str, str]:
    """Return the password of each user of NATS, made in the directory of keys where there is none."""
    return {user: ensure_secret(keys / f"nats_{user}")[0] for user in USERS}


def make_nats(settings: LocalSettings, ports: Mapping[str, int]) -> Spec:
    """Write NATS' configuration, with JetStream in the state directory, and return its process.

    How much it may keep is written down, since else it is a share of what is free at its start, and a server on a disk
    that is nearly full refuses streams that it had.
    """
    program = Path(sysconfig.get_path("scripts")) / "nats-server"
    file = settings.state / "nats.conf"
    store = json.dumps(str(settings.state / "nats"))
    users = render_users(make_passwords(settings.state / "keys"))
    write_secret(file, f"jetstream {{ store_dir: {store}, max_file_store: {_MOST_IN_NATS} }}\n{users}")
    arguments = (str(program), "-c", str(file), "-a", "127.0.0.1", "-p", str(ports["nats"]))
    return Spec("nats", arguments, dict(os.environ))


def list_nats_urls(settings: LocalSettings, ports: Mapping[str, int]) -> dict[str, str]:
    """Return the URL of NATS for each process, with its own credentials; empty where NATS_URL names another server."""
    if settings.nats_url:
        return {}
    passwords = make_passwords(settings.state / "keys")
    return {name: f"nats://{name}:{passwords[name]}@127.0.0.1:{ports['nats']}" for name in PROCESSES}


async def read_nats_health(port: int, password: str) -> dict[str, Any]:
    """Ask the NATS server on a port of the loopback how it is, as its user `system`: `{"status": "ok"}` when it is well.

    The server's port for monitoring would answer every account of the machine.

    Raises:
        OSError, TimeoutError, ValueError: it does not answer, or refuses the password.
    """
    async with asyncio.timeout(_ANSWER_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            server = json.loads((await reader.readline()).removeprefix(b"INFO "))["server_id"]
            who = json.dumps({"verbose": False, "user": SYSTEM, "pass": password})
            subject = f"$SYS.REQ.SERVER.{server}.HEALTHZ"
            inbox = f"_INBOX.{SYSTEM}.health"
            writer.write(f"CONNECT {who}\r\nSUB {inbox} 1\r\nPUB {subject} {inbox} 0\r\n\r\n".encode())
            while line := await reader.readline():
                if line.startswith(b"-ERR"):
                    raise ValueError(line.decode(errors="replace").strip())
                if line.startswith(b"MSG "):
                    answer = json.loads(await reader.readexactly(int(line.split()[-1])))
                    health: dict[str, Any] = answer.get("data") or answer.get("error") or {}
                    return health
            raise ValueError("NATS closed the connection")
        finally:
            writer.close()
