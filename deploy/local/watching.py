"""NATS of a local stack is started again when it could not write: a stream that once failed stays so until then."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

import requests

_EVERY_S = 2.0
_TIMEOUT_S = 2.0
_ROOM_BYTES = 16 * 1024 * 1024


async def watch_nats(
    port: int, store: Path, *, start_again: Callable[[], None], every: float = _EVERY_S
) -> None:
    """Look for ever, and call `start_again` where a stream failed to write and there is room again.

    Args:
        port: of NATS' monitoring.
        store: the folder of JetStream.
        start_again: ends NATS, which somebody else starts again.
        every: seconds between two looks.
    """
    while True:
        await asyncio.sleep(every)
        if await asyncio.to_thread(_find_fault, port) and shutil.disk_usage(store).free > _ROOM_BYTES:
            start_again()


def _find_fault(port: int) -> bool:
    """Whether NATS answers that a stream of it cannot write."""
    try:
        answer = requests.get(f"http://127.0.0.1:{port}/healthz", timeout=_TIMEOUT_S)
    except requests.RequestException:
        return False
    return not answer.ok and "write error" in answer.text
