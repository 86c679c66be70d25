"""How fast writes are accepted: deployments, changes, backups, sign-ins; what they begin is carried out meanwhile."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from deploy.local.api import Api
from tests.bench.seeding import Seeder, app_id_of
from tests.bench.session import PASSWORD, open_stack
from tests.bench.stack import BenchStack

_APPS = 2000


class Writer(Api):
    """Somebody who is signed in and stays so by refreshing."""

    refresh = ""


Write = Callable[[Writer, int], object]


async def measure_writes(database: str, *, count: int, counts_at_once: Sequence[int]) -> None:
    """Send `count` writes of each kind, so many at once, and print how fast they were accepted."""
    async with open_stack(database) as (stack, _):
        owners = await asyncio.to_thread(_seed, stack)
        for turn, at_once in enumerate(counts_at_once):
            for name, write in _list_writes(turn, count):
                took = await asyncio.to_thread(_send, stack, write, count=count, at_once=at_once)
                print(render(name, took, at_once), flush=True)
        print(f"  ({_APPS} apps of {owners} users)")


def _seed(stack: BenchStack) -> int:
    assert stack.secrets is not None
    settings = stack.settings
    url = settings.database_url or f"sqlite:///{settings.state}/db/proximity.sqlite3"
    seeder, admin = Seeder(url, stack.secrets.secret_key), Api(settings.url)
    owners = seeder.add_users(settings.admin_username)
    admin.sign_in(settings.admin_username, PASSWORD)
    seeder.add_apps(_APPS, owners, host_id=admin.read_array("/proxmox/hosts")[0]["id"])
    return len(owners)


def _list_writes(turn: int, count: int) -> list[tuple[str, Write]]:
    """Each with apps of its own: one app takes one operation at a time."""
    first = turn * 3 * count
    return [
        ("change", partial(_change, first)),
        ("action", partial(_act, first + count)),
        ("backup", partial(_back_up, first + 2 * count)),
        ("deploy", partial(_deploy, turn)),
        ("refresh", _refresh),
        ("login", _sign_in),
    ]


def _running_app(number: int) -> str:
    """The id of a seeded app that runs."""
    return app_id_of(number // 3 * 5 + number % 3)


def _change(first: int, api: Api, number: int) -> None:
    changed = {"name": f"Changed {number}", "memory": 300 + number}  # a name alone would begin no operation
    api.send("PATCH", f"/apps/{_running_app(first + number)}", changed, expect=200)


def _act(first: int, api: Api, number: int) -> None:
    path = f"/apps/{_running_app(first + number)}/action"
    api.send("POST", path, {"action": "stop"}, expect=202)


def _back_up(first: int, api: Api, number: int) -> None:
    api.send("POST", f"/apps/{_running_app(first + number)}/backups", {}, expect=202)


def _deploy(turn: int, api: Api, number: int) -> None:
    asked = {"catalog_id": "nginx", "hostname": f"written-{turn}-{number}"}
    api.send("POST", "/apps", asked, expect=201)


def _refresh(api: Writer, _: int) -> None:
    answer = api.send("POST", "/auth/token/refresh", {"refresh": api.refresh}, expect=200)
    api.refresh = str(answer["refresh"])


def _sign_in(api: Api, number: int) -> None:
    api.send("POST", "/auth/login", {"username": f"bench{number % 50}", "password": PASSWORD}, expect=200)


def _send(stack: BenchStack, write: Write, *, count: int, at_once: int) -> list[float]:
    """Seconds of each write; who writes has signed in before."""
    shares = [range(first, count, at_once) for first in range(min(at_once, count))]
    writers = [Writer(stack.settings.url) for _ in shares]
    for writer in writers:
        writer.sign_in(stack.settings.admin_username, PASSWORD)
        asked = {"username": stack.settings.admin_username, "password": PASSWORD}
        writer.refresh = str(writer.send("POST", "/auth/login", asked)["refresh"])

    def work(api: Writer, numbers: range) -> list[float]:
        return [_measure(write, api, number) for number in numbers]

    with ThreadPoolExecutor(at_once) as threads:
        began = time.monotonic()
        took = [seconds for each in threads.map(work, writers, shares) for seconds in each]
        return [time.monotonic() - began, *took]


def _measure(write: Write, api: Writer, number: int) -> float:
    began = time.monotonic()
    write(api, number)
    return time.monotonic() - began


def render(name: str, took: Sequence[float], at_once: int) -> str:
    """A line; the first of `took` is the time of all together."""
    elapsed, each = took[0], sorted(took[1:])
    return (
        f"{name:8} {at_once:3} at once: {len(each) / elapsed:7.1f}/s, p50 {statistics.median(each) * 1000:.0f} ms, "
        f"p99 {each[int(len(each) * 0.99)] * 1000:.0f} ms"
    )
