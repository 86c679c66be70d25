"""How long work stands still when a part dies, and how fast reads are answered beside two hundred operations.

`python -m tests.chaos.standstill` (`make standstill`) prints a line for each and fails where more is taken than is
promised: 15 s after the death of a worker or the return of NATS and PostgreSQL; no failed read while NATS or Proxmox
is away; three times the idle latency, at the median, beside the operations.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.rows import dict_row

from deploy.local.sockets import name_socket
from tests.chaos.evidence import Row
from tests.chaos.platform import PASSWORD, Platform

_PROMISED_S = 15.0
_TIMES = 3.0
_WAIT_S = 180.0
_AWAY_S = 6.0
_IDLE_S = 10.0
_PAUSE_S = 0.05
_CLIENTS = 16
_SERVERS = ("nats", "postgres")
_UNDER_WAY = """
SELECT o.id, o.worker FROM apps.operations o
JOIN apps.operation_steps s ON s.operation_id = o.id AND s.position = o.step_index
WHERE o.subject = %s AND o.finished_at IS NULL AND s.name = 'install_docker'
"""
_MOVED = """
SELECT min(at) AS at FROM apps.operation_steps s CROSS JOIN LATERAL (VALUES (s.started_at), (s.finished_at)) AS t(at)
WHERE s.operation_id = %s AND at > %s
"""


class Watch:
    """A user at the gateway, who also looks into the database."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._http = httpx.AsyncClient(base_url=f"{platform.url}/api", timeout=20)

    async def sign_in(self) -> None:
        """Sign in as the administrator."""
        body = {"username": "admin", "password": PASSWORD}
        answer = await self._http.post("/auth/login", json=body)
        self._http.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access']}"
        self._http.cookies.clear()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def deploy(self, hostname: str, *, runtime: str = "compose") -> str:
        """Ask for an app; its id."""
        config = {"memory": 256, "disk_size": 4, "runtime": runtime}
        body = {"catalog_id": "adminer", "hostname": hostname, "config": config}
        answer = await self._http.post("/apps", json=body)
        return str(answer.raise_for_status().json()["id"])

    async def time_reads(self, paths: list[str], times: list[float], failed: Counter[str]) -> None:
        """Read one path after the other until cancelled, noting seconds and what went wrong."""
        while True:
            for path in paths:
                began = time.monotonic()
                try:
                    answer = await self._http.get(path)
                    if answer.status_code != 200:
                        failed[f"{path} {answer.status_code}"] += 1
                except httpx.HTTPError as error:
                    failed[f"{path} {type(error).__name__}"] += 1
                times.append(time.monotonic() - began)
                await asyncio.sleep(_PAUSE_S)

    async def ask(self, query: str, *values: Any) -> list[Row]:
        """Ask the database directly, again while it is down."""
        return await asyncio.to_thread(self._ask, query, values)

    def _ask(self, query: str, values: tuple[Any, ...]) -> list[Row]:
        deadline = time.monotonic() + _WAIT_S
        while True:
            try:
                with psycopg.connect(self._platform.database_url, row_factory=dict_row) as connection:
                    return connection.execute(query.encode(), values).fetchall()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    async def wait_for(self, query: str, *values: Any) -> Row:
        """The first row, as soon as there is one."""
        async with asyncio.timeout(_WAIT_S):
            while True:
                if rows := await self.ask(query, *values):
                    return rows[0]
                await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def reading(watch: Watch, paths: list[str]) -> AsyncIterator[tuple[list[float], Counter[str]]]:
    """Read meanwhile; the seconds of each read and what failed."""
    times: list[float] = []
    failed: Counter[str] = Counter()
    task = asyncio.create_task(watch.time_reads(paths, times, failed))
    try:
        yield times, failed
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def measure_standstill(platform: Platform, watch: Watch, victim: str) -> bool:
    """Kill `victim` in the middle of a deployment; whether that moves again within what is promised."""
    app_id = await watch.deploy(f"still-{victim}")
    operation = await watch.wait_for(_UNDER_WAY, app_id)
    name = victim if victim in _SERVERS else find_worker(platform, operation["worker"])
    platform.signal(name, signal.SIGKILL)
    if victim in _SERVERS:
        await wait_for_socket(name_socket(platform.state, victim))
    since = datetime.now(UTC)
    await watch.wait_for(
        "SELECT 1 FROM apps.operations WHERE id = %s AND finished_at IS NOT NULL", operation["id"]
    )
    moved = (await watch.ask(_MOVED, operation["id"], since))[0]["at"]
    rows = await watch.ask("SELECT status, error FROM apps.operations WHERE id = %s", operation["id"])
    seconds = (moved - since).total_seconds() if moved else _WAIT_S
    _say(f"{victim} killed: went on after {seconds:.1f} s, {rows[0]['status']} {rows[0]['error']}".rstrip())
    return seconds <= _PROMISED_S and rows[0]["status"] == "succeeded"


async def measure_reads(platform: Platform, watch: Watch, away: str) -> bool:
    """Stop a part for a while; whether every read is answered."""
    paths = ["/apps", "/catalog", "/proxmox/nodes", "/health"]
    platform.signal(away, signal.SIGSTOP)
    async with reading(watch, paths) as (times, failed):
        await asyncio.sleep(_AWAY_S)
    platform.signal(away, signal.SIGCONT)
    _say(f"{away} away: {len(times)} reads, {failed.total()} failed {dict(failed) or ''}".rstrip())
    return not failed and bool(times)


async def measure_crowd(watch: Watch, count: int) -> bool:
    """Queue many deployments at once; whether each ends once and reads stay fast."""
    paths = ["/apps?page=1", "/catalog", "/auth/user"]
    async with reading(watch, paths) as (idle, _):
        await asyncio.sleep(_IDLE_S)
    began = time.monotonic()
    doors = asyncio.Semaphore(_CLIENTS)

    async def deploy(number: int) -> str:
        async with doors:
            return await watch.deploy(f"crowd-{number}", runtime="oci")

    apps = await asyncio.gather(*(deploy(number) for number in range(count)))
    async with reading(watch, paths) as (busy, failed):
        await watch.wait_for(
            "SELECT 1 WHERE (SELECT count(*) FROM apps.operations WHERE finished_at IS NOT NULL"
            " AND subject = ANY(%s)) = %s",
            apps,
            count,
        )
    took = time.monotonic() - began
    rows = await watch.ask("SELECT status, vmid FROM apps.apps WHERE id = ANY(%s)", apps)
    running = [row["vmid"] for row in rows if row["status"] == "running"]
    times = statistics.median(busy) / statistics.median(idle)
    _say(
        f"{count} deployments at once: {len(running)} run, {len(set(running))} container ids, {took:.0f} s;"
        f" reads {_show(idle)} idle, {_show(busy)} beside them ({times:.1f} times), {failed.total()} failed"
    )
    return len(set(running)) == count and times <= _TIMES and not failed


def find_worker(platform: Platform, name: str) -> str:
    """The process of a worker, whose name ends with its pid."""
    pid = int(name.rsplit("-", 1)[1])
    return next(one for one, process in platform.processes.items() if process.pid == pid)


async def wait_for_socket(path: Path) -> None:
    """Wait until something listens."""
    async with asyncio.timeout(_WAIT_S):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_unix_connection(path)
                writer.close()
                return
            await asyncio.sleep(0.05)


async def run(state: Path, *, count: int) -> bool:
    """Measure everything; whether all of it is as promised."""
    platform = Platform(state, report=lambda _: None)
    try:
        await platform.start()
        watch = Watch(platform)
        try:
            await watch.sign_in()
            held = [await measure_standstill(platform, watch, one) for one in ("worker", *_SERVERS)]
            held += [await measure_reads(platform, watch, one) for one in ("nats", "pvesim")]
            held.append(await measure_crowd(watch, count))
        finally:
            await watch.close()
        return all(held)
    finally:
        await platform.stop()


def _show(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    return f"{statistics.median(ordered) * 1000:.1f}/{ordered[int(len(ordered) * 0.95)] * 1000:.1f} ms"


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def main() -> int:
    """Measure; 1 where something takes longer than is promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.standstill", description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="how many deployments at once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="proximity-standstill-") as folder:
        held = asyncio.run(run(Path(folder) / "state", count=options.count))
    _say("everything is as promised" if held else "not everything is as promised")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
