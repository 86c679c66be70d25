"""What is looked after while a local stack runs: NATS that could not write, and logs that grow.

NATS is started again, since a stream that once failed to write stays so until then.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from deploy.local.nats import read_nats_health
from deploy.local.process import KEPT_LOG_BYTES

_EVERY_S = 2.0
_LOGS_EVERY_S = 60.0
_ROOM_BYTES = 16 * 1024 * 1024


async def watch_nats(
    port: int, store: Path, *, password: str, start_again: Callable[[], None], every: float = _EVERY_S
) -> None:
    """Look for ever, and call `start_again` where a stream failed to write and there is room again.

    Args:
        port: of NATS.
        store: the folder of JetStream.
        password: of NATS' user `system`.
        start_again: ends NATS, which somebody else starts again.
        every: seconds between two looks.
    """
    while True:
        await asyncio.sleep(every)
        if await _is_stuck(port, password) and shutil.disk_usage(store).free > _ROOM_BYTES:
            start_again()


async def watch_logs(logs: Path, *, every: float = _LOGS_EVERY_S, most: int = KEPT_LOG_BYTES) -> None:
    """Keep every log of a folder below about `most` bytes for ever; its earlier content is in `<name>.1`."""
    while True:
        await asyncio.sleep(every)
        await asyncio.to_thread(trim_logs, logs, most)


def trim_logs(logs: Path, most: int) -> None:
    """Begin long logs anew in place, as those who append to them keep them open."""
    for file in logs.glob("*.log"):
        if file.stat().st_size <= most:
            continue
        before = file.with_name(f"{file.name}.1")
        try:
            shutil.copyfile(file, before)
        except OSError:  # the disk is full: room is worth more
            before.unlink(missing_ok=True)
        os.truncate(file, 0)


async def _is_stuck(port: int, password: str) -> bool:
    """Whether NATS answers that a stream of it cannot write."""
    try:
        health = await read_nats_health(port, password)
    except (OSError, TimeoutError, ValueError):
        return False
    return "write error" in str(health.get("error", ""))
