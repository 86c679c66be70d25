"""What listeners cost that hear nothing: server-sent events of one app, on connections of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

import psutil

from deploy.local.api import Api
from tests.bench.session import PASSWORD, open_stack
from tests.bench.stack import measure_cpu, measure_memory

_SETTLE_S = 5.0
_QUIET_S = 20.0
_OPEN_S = 120.0
_AT_ONCE = 50


async def measure_listeners(database: str, *, count: int) -> None:
    """Open `count` streams, and print the memory and the CPU that they take while nothing happens."""
    async with open_stack(database) as (stack, _):
        processes = stack.list_processes()
        path, token = await asyncio.to_thread(_deploy, stack.settings.url)
        before, idle = measure_memory(processes), await _measure_quiet(processes)
        slots = asyncio.Semaphore(_AT_ONCE)
        opening = [_listen(stack.settings.url, path, token, slots=slots) for _ in range(count)]
        async with asyncio.timeout(_OPEN_S):
            writers = await asyncio.gather(*opening)
        busy = await _measure_quiet(processes)
        after = measure_memory(processes)
        for writer in writers:
            writer.close()
    grown = {name: after[name] - before[name] for name in before if after[name] - before[name] >= 1}
    print(f"{count} listeners: {sum(after.values()) - sum(before.values()):.0f} MiB more", flush=True)
    print("  " + ", ".join(f"{name} {value:.0f}" for name, value in grown.items()))
    print(f"  CPU {busy * 100:.1f} % of a core while nothing happens, {idle * 100:.1f} % without them")


def _deploy(url: str) -> tuple[str, str]:
    api = Api(url)
    api.sign_in("admin", PASSWORD)
    app = api.send("POST", "/apps", {"catalog_id": "nginx", "hostname": "heard"}, expect=201)["id"]
    api.wait_for_app(app, wanted="running", timeout=_OPEN_S, watch=lambda _: None)
    return f"/api/apps/{app}/events", api.token


async def _listen(url: str, path: str, token: str, *, slots: asyncio.Semaphore) -> asyncio.StreamWriter:
    place = urlsplit(url)
    async with slots:
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        head = f"GET {path} HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {token}\r\n\r\n"
        writer.write(head.encode())
        status = await reader.readline()
        if b" 200 " not in status:
            raise ConnectionError(f"{path} answered {status.decode().strip()}")
        return writer


async def _measure_quiet(processes: Mapping[str, psutil.Process]) -> float:
    """Cores used while nothing happens."""
    await asyncio.sleep(_SETTLE_S)
    before = sum(measure_cpu(processes).values())
    await asyncio.sleep(_QUIET_S)
    return (sum(measure_cpu(processes).values()) - before) / _QUIET_S
