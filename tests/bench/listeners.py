"""What idle listeners of an app's events cost: `python -m tests.bench.listeners STATE_DIR APP --count 1000`.

The platform of the state directory must be running, its administrator's password in PROXIMITY_ADMIN_PASSWORD. Measures
the time until all listen, memory, threads and CPU while nothing happens, and how long the app's stopping takes to reach all.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import psutil

from deploy.local.api import Api

WATCHED = ("apps", "gateway")
IDLE_S = 30.0
LIMIT_S = 120.0


class Listener:
    """One connection with one stream."""

    def __init__(self) -> None:
        self.heard_at = 0.0
        self.is_listening = asyncio.Event()

    async def listen(self, port: int, app_id: str, token: str) -> None:
        """Read for ever, noting when it tells that the app stops."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"GET /api/apps/{app_id}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        writer.write(head.encode())
        assert (await reader.readline()).split()[1] == b"200"
        async for line in reader:
            if line.startswith(b"event: status"):
                self.is_listening.set()
            if b"stopping" in line:
                self.heard_at = self.heard_at or time.monotonic()


def read_cost(pids: dict[str, int]) -> dict[str, dict[str, float]]:
    """Memory (MB), threads and CPU seconds of each process."""
    found = {}
    for name in WATCHED:
        process = psutil.Process(pids[name])
        with process.oneshot():
            times = process.cpu_times()
            found[name] = {
                "rss_mb": process.memory_info().rss / 1e6,
                "threads": process.num_threads(),
                "cpu_s": times.user + times.system,
            }
    return found


async def measure(state: Path, app_id: str, count: int) -> dict[str, Any]:
    """Measure with `count` listeners."""
    run = json.loads((state / "run.json").read_text())
    api = Api(run["url"])
    api.sign_in("admin", os.environ["PROXIMITY_ADMIN_PASSWORD"])
    token = str(api._session.headers["Authorization"]).removeprefix("Bearer ")
    port = int(run["url"].rpartition(":")[2])
    before = read_cost(run["pids"])
    began = time.monotonic()
    listeners = [Listener() for _ in range(count)]
    tasks = [asyncio.create_task(each.listen(port, app_id, token)) for each in listeners]
    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(*(each.is_listening.wait() for each in listeners))
    opened = time.monotonic() - began
    start = read_cost(run["pids"])
    await asyncio.sleep(IDLE_S)
    end = read_cost(run["pids"])
    acted = time.monotonic()
    await asyncio.to_thread(api.send, "POST", f"/apps/{app_id}/action", {"action": "stop"})
    async with asyncio.timeout(LIMIT_S):
        while not all(each.heard_at for each in listeners):
            await asyncio.wait(tasks, timeout=0.05)
    delays = sorted(each.heard_at - acted for each in listeners)
    for task in tasks:
        task.cancel()
    return {
        "listeners": count,
        "opened_s": opened,
        "before": before,
        "idle": end,
        "idle_cpu_percent": {n: 100 * (end[n]["cpu_s"] - start[n]["cpu_s"]) / IDLE_S for n in WATCHED},
        "heard_after_s": {"first": delays[0], "median": delays[count // 2], "last": delays[-1]},
    }


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("state", type=Path)
    parser.add_argument("app")
    parser.add_argument("--count", type=int, default=1000)
    options = parser.parse_args()
    found = asyncio.run(measure(options.state, options.app, options.count))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
