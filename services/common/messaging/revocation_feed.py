"""Revocations as NATS's key-value store has them, followed by every service."""

from __future__ import annotations

import asyncio
import contextlib

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.kv import KeyValue

from services.common.core.errors import UnavailableError
from services.common.core.log import get_logger
from services.common.identity.tokens import Revocations
from services.common.messaging.bus import Bus
from services.common.messaging.streams import REVOCATIONS_BUCKET, REVOKED

log = get_logger()

_FOLLOW_AGAIN_S = 0.5


async def watch_revocations(bus: Bus, revocations: Revocations) -> None:
    """Follow the revocations in NATS's key-value store for ever; begins again with all of them at every connection.

    A watcher of before a reconnection may be silent for ever: its consumer can be gone with the server that had it.
    """
    connected = asyncio.Event()

    async def note_connected() -> None:
        revocations.is_loaded = False
        connected.set()

    bus.on_connect(note_connected)
    while True:
        await bus.wait_connected(timeout=60)
        connected.clear()
        following = asyncio.ensure_future(_follow_revocations(bus, revocations))
        waiting = asyncio.ensure_future(connected.wait())
        try:
            await asyncio.wait({following, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            following.cancel()
            waiting.cancel()
            await asyncio.gather(following, waiting, return_exceptions=True)
        if not connected.is_set():
            await asyncio.sleep(_FOLLOW_AGAIN_S)


async def _follow_revocations(bus: Bus, revocations: Revocations) -> None:
    async def note(message: Msg) -> None:
        key, _, cutoff = message.data.decode().partition(" ")
        revocations.revoke(key, float(cutoff))

    try:
        stop = await bus.listen(REVOKED, note)
        try:
            await _follow_bucket(await bus.key_value(REVOCATIONS_BUCKET), revocations)
        finally:
            with contextlib.suppress(NatsError, OSError):
                await stop()
    except (NatsError, TimeoutError, OSError, UnavailableError, ValueError) as error:
        log.warning("revocations_interrupted", error=str(error) or type(error).__name__)


async def _follow_bucket(bucket: KeyValue, revocations: Revocations) -> None:
    watcher = await bucket.watchall()
    try:
        async for entry in watcher:
            if entry is None:  # these were all that there are so far
                revocations.is_loaded = True
            elif entry.value:
                revocations.revoke(entry.key, float(entry.value))
    finally:
        revocations.is_loaded = False  # until they are followed again, somebody else has to be asked
        with contextlib.suppress(NatsError, TimeoutError, OSError):
            await asyncio.wait_for(watcher.stop(), 1)  # type: ignore[no-untyped-call]
