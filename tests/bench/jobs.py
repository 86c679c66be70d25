"""How long deployments take: from the request to the worker's first step, and to the end."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deploy.local.api import Api
from tests.bench.session import PASSWORD, open_stack
from tests.bench.stack import BenchStack, measure_cpu

_LONGEST_S = 300.0
_WORTH_S = 0.005  # of CPU: less is not listed


@dataclass(frozen=True)
class Deployment:
    """What one deployment took, in seconds.

    Attributes:
        begun: until the first step began.
        total: until the app ran.
        tasks: of Proxmox that were waited for.
    """

    begun: float
    total: float
    tasks: int


def deploy_apps(
    stack: BenchStack, count: int, *, at_once: int, label: str, user: str = ""
) -> list[Deployment]:
    """Deploy `count` apps, `at_once` at a time, as a user or the administrator."""

    api = Api(stack.settings.url)
    api.sign_in(user or stack.settings.admin_username, PASSWORD)

    def deploy(number: int) -> Deployment:
        asked = {"catalog_id": "nginx", "hostname": f"{label}-{number:03d}"}
        app = api.send("POST", "/apps", asked, expect=201)["id"]
        api.wait_for_app(app, wanted="running", timeout=_LONGEST_S, watch=lambda _: None)
        (operation,) = api.send("GET", f"/apps/{app}/operations")["operations"]
        return _measure(operation)

    with ThreadPoolExecutor(at_once) as threads:
        return list(threads.map(deploy, range(count)))


def _measure(operation: dict[str, Any]) -> Deployment:
    created = datetime.fromisoformat(operation["created_at"])
    steps = operation["steps"]
    return Deployment(
        begun=(datetime.fromisoformat(steps[0]["started_at"]) - created).total_seconds(),
        total=(datetime.fromisoformat(operation["finished_at"]) - created).total_seconds(),
        tasks=sum(len(step.get("upids", ())) for step in steps),
    )


async def measure_jobs(
    database: str, *, task_seconds: float, counts: Sequence[int], workers: int = 1
) -> None:
    """Deploy, for each count that many at once, and print what it took."""
    async with open_stack(database, task_seconds=task_seconds, workers=workers) as (stack, server):
        processes = stack.list_processes() | ({"postgres": server} if server else {})
        for count in counts:
            began, before = time.monotonic(), measure_cpu(processes)
            runs = 5 if count == 1 else count
            done = await asyncio.to_thread(deploy_apps, stack, runs, at_once=count, label=f"job{count}")
            print(_render(done, count, task_seconds, time.monotonic() - began), flush=True)
            cpu = {name: used - before[name] for name, used in measure_cpu(processes).items()}
            print(_render_cpu(cpu, runs), flush=True)


async def measure_fairness(database: str, *, count: int) -> None:
    """One user deploys `count` apps at once and another one then a single app: how long each waits for a worker."""
    async with open_stack(database, limited=True) as (stack, _):
        many, one = await asyncio.to_thread(_deploy_beside, stack, count)
    waited = sorted(each.begun for each in many)
    print(
        f"{count} at once of one user waited {waited[count // 2]:.1f} s for a worker (median; the last "
        f"{waited[-1]:.1f} s), one of another user who came after them {one.begun:.1f} s"
    )


def _deploy_beside(stack: BenchStack, count: int) -> tuple[list[Deployment], Deployment]:
    for name in ("many", "one"):
        account = {"username": name, "password": PASSWORD, "email": f"{name}@example.org"}
        Api(stack.settings.url).send("POST", "/auth/register", account, expect=201)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(deploy_apps, stack, count, at_once=count, label="many", user="many")
        api = Api(stack.settings.url)
        api.sign_in("many", PASSWORD)
        while api.send("GET", "/apps")["total"] < count:
            time.sleep(0.1)
        (one,) = deploy_apps(stack, 1, at_once=1, label="one", user="one")
        return first.result(), one


def _render(done: Sequence[Deployment], at_once: int, task_seconds: float, elapsed: float) -> str:
    begun = statistics.median(each.begun for each in done) * 1000
    total = statistics.median(each.total for each in done)
    tasks = statistics.median(each.tasks for each in done)
    return (
        f"tasks of {task_seconds:g} s, {at_once:3} at once: first step after {begun:.0f} ms, running after "
        f"{total:.2f} s ({tasks:.0f} tasks of Proxmox), medians of {len(done)}; {len(done) / elapsed:.2f}/s"
    )


def _render_cpu(cpu: Mapping[str, float], runs: int) -> str:
    parts = [f"{name} {used / runs * 1000:.0f}" for name, used in cpu.items() if used / runs >= _WORTH_S]
    return f"  CPU of a deployment {sum(cpu.values()) / runs * 1000:.0f} ms: {', '.join(parts)}"
