"""Reads that arrive whether or not the earlier ones were answered, as those of many users do."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import httpx

_TIMEOUT_S = 20.0
_CONNECTIONS = 100


@dataclass
class Reads:
    """What became of the reads: seconds of each that was answered, and a sentence for each that failed."""

    seconds: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

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
        self._paths = itertools.cycle(paths)
        self._running: set[asyncio.Task[None]] = set()
        self._began = time.monotonic()
        self._http = httpx.AsyncClient(
            base_url=f"{url}/api",
            headers={"Authorization": f"Bearer {token}"},
            timeout=_TIMEOUT_S,
            limits=httpx.Limits(max_connections=_CONNECTIONS),
        )

    async def read(self, rate: float, *, until: asyncio.Event) -> None:
        """Send `rate` reads a second until the event is set, and wait for the answers."""
        self._began = time.monotonic()
        for number in itertools.count():
            wait = self._began + number / rate - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            if until.is_set():
                break
            task = asyncio.create_task(self._read(next(self._paths)))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        await asyncio.gather(*self._running)
        await self._http.aclose()

    async def _read(self, path: str) -> None:
        sent = time.monotonic()
        try:
            answer = await self._http.get(path)
        except httpx.HTTPError as error:
            self._fail(path, f"{type(error).__name__}: {error}")
            return
        if answer.status_code == httpx.codes.OK:
            self.reads.seconds.append(time.monotonic() - sent)
        else:
            self._fail(path, f"{answer.status_code} {answer.text[:200]}")

    def _fail(self, path: str, why: str) -> None:
        at = time.monotonic() - self._began
        self.reads.failures.append(f"after {at:.1f} s GET {path}: {why}")
