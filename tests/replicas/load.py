"""Reads that arrive whether or not the earlier ones were answered, as those of many users do."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp

_TIMEOUT_S = 20.0
_MOST_AT_ONCE = 200
_LATE_S = 0.5


@dataclass
class Reads:
    """What became of the reads: seconds of each that was answered, and a sentence for each that failed."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    lasted: float = 0.0

    @property
    def rate(self) -> float:
        """How many were sent in a second."""
        return (len(self.seconds) + len(self.failures)) / self.lasted if self.lasted else 0.0

    def percentile(self, share: float) -> float:
        """Seconds within which this share of them was answered; 0 when there were none."""
        ordered = sorted(self.seconds)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0.0


class Reader:
    """Reads paths one after another at a steady rate.

    Args:
        url: of the gateway.
        token: of the user who reads.
        paths: below `/api`, each of which is to answer 200.
    """

    def __init__(self, url: str, token: str, paths: Sequence[str]) -> None:
        self.reads = Reads()
        self._url = f"{url}/api"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._paths = itertools.cycle(paths)
        self._slots = asyncio.Semaphore(_MOST_AT_ONCE)
        self._began = 0.0

    async def read(self, rate: float, *, until: asyncio.Event) -> None:
        """Send `rate` reads a second until the event is set, and wait for the answers.

        A machine that cannot keep up with that sends fewer; what was missed is not made up for.
        """
        self._began = due = time.monotonic()
        running: set[asyncio.Task[None]] = set()
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        connector = aiohttp.TCPConnector(limit=_MOST_AT_ONCE)
        async with aiohttp.ClientSession(headers=self._headers, timeout=timeout, connector=connector) as http:
            while not until.is_set():
                await self._slots.acquire()
                task = asyncio.create_task(self._read(http, next(self._paths)))
                running.add(task)
                task.add_done_callback(running.discard)
                due = max(due + 1 / rate, time.monotonic() - _LATE_S)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.reads.lasted = time.monotonic() - self._began
            await asyncio.gather(*running)

    async def _read(self, http: aiohttp.ClientSession, path: str) -> None:
        sent = time.monotonic()
        try:
            async with http.get(self._url + path) as answer:
                text = await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            self._fail(path, f"{type(error).__name__}: {error}")
        else:
            if answer.status == HTTPStatus.OK:
                self.reads.seconds.append(time.monotonic() - sent)
            else:
                self._fail(path, f"{answer.status} {text[:200]}")
        finally:
            self._slots.release()

    def _fail(self, path: str, why: str) -> None:
        at = time.monotonic() - self._began
        self.reads.failures.append(f"after {at:.1f} s GET {path}: {why}")
