"""What people who sign in cost everybody else: the time of GET /api/apps beside many who sign in at once."""

from __future__ import annotations

import asyncio
import http.client
import json
import statistics
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from deploy.local.api import Api
from tests.bench.seeding import Seeder
from tests.bench.session import PASSWORD, open_stack
from tests.bench.stack import BenchStack

LIMIT = 3.0
_APPS = 1000
_READS = 1500
_WARM_UP = 300
_ROUNDS = 3
_TIMEOUT_S = 30.0


@dataclass
class Crowd:
    """People who sign in again and again, until they are stopped."""

    place: str
    stopped: threading.Event = field(default_factory=threading.Event)
    done: int = 0
    refused: int = 0

    def run(self, number: int) -> None:
        """Be one of them."""
        connection = http.client.HTTPConnection(self.place, timeout=_TIMEOUT_S)
        body = json.dumps({"username": f"bench{number}", "password": PASSWORD})
        while not self.stopped.is_set():
            connection.request("POST", "/api/auth/login", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            if answer.status == http.client.OK:
                self.done += 1
            else:  # 429: too many wait for their turn
                self.refused += 1
                connection.close()
                self.stopped.wait(float(answer.headers.get("retry-after", "1")))


async def measure_logins(database: str, *, people: int) -> bool:
    """Print the times with and without the crowd; says whether p99 grew less than threefold."""
    async with open_stack(database) as (stack, _):
        return await asyncio.to_thread(_measure, stack, people)


def _measure(stack: BenchStack, people: int) -> bool:
    place, headers = urlsplit(stack.settings.url).netloc, _prepare(stack)
    _read_apps(place, headers, count=_WARM_UP)
    ratios = []
    for number in range(1, _ROUNDS + 1):
        idle = _read_apps(place, headers, count=_READS)
        crowd = Crowd(place)
        threads = [threading.Thread(target=crowd.run, args=(one,), daemon=True) for one in range(people)]
        began = time.monotonic()
        for thread in threads:
            thread.start()
        busy = _read_apps(place, headers, count=_READS)
        rate = crowd.done / (time.monotonic() - began)
        crowd.stopped.set()
        for thread in threads:
            thread.join(_TIMEOUT_S)
        ratios.append(_p99(busy) / _p99(idle))
        print(
            f"round {number}: idle p50 {statistics.median(idle):.1f} p99 {_p99(idle):.1f} ms; beside {people} who "
            f"sign in ({rate:.1f}/s, {crowd.refused} told to wait) p50 {statistics.median(busy):.1f} p99 {_p99(busy):.1f} ms; "
            f"p99 {ratios[-1]:.1f} times",
            flush=True,
        )
    return statistics.median(ratios) <= LIMIT


def _prepare(stack: BenchStack) -> Mapping[str, str]:
    """Fill the databases and sign in as the owner of some apps."""
    assert stack.secrets is not None
    settings = stack.settings
    url = settings.database_url or f"sqlite:///{settings.state}/db/proximity.sqlite3"
    seeder = Seeder(url, stack.secrets.secret_key)
    owners = seeder.add_users(settings.admin_username)
    admin, owner = Api(settings.url), Api(settings.url)
    admin.sign_in(settings.admin_username, PASSWORD)
    owner.sign_in("bench1", PASSWORD)
    seeder.add_apps(_APPS, owners, host_id=admin.read_array("/proxmox/hosts")[0]["id"])
    return {"authorization": f"Bearer {owner.token}"}


def _read_apps(place: str, headers: Mapping[str, str], *, count: int) -> list[float]:
    """Milliseconds of each of `count` requests, one after the other on one connection."""
    connection = http.client.HTTPConnection(place, timeout=_TIMEOUT_S)
    times = []
    for _ in range(count):
        began = time.perf_counter()
        connection.request("GET", "/api/apps", headers=dict(headers))
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - began) * 1000)
        if answer.status != http.client.OK:
            raise ConnectionError(f"GET /api/apps was answered {answer.status}")
    connection.close()
    return times


def _p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]
