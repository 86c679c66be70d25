"""Revocations as NATS's key-value store has them, followed by every service."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time

from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.kv import KeyValue

from services.common.core.errors import UnavailableError
from services.common.core.log import get_logger
from services.common.identity.tokens import ACCESS_TOKEN_S, Revocations
from services.common.messaging.bus import Bus
from services.common.messaging.streams import REVOCATIONS_BUCKET, REVOKED

log = get_logger()

_FOLLOW_AGAIN_S = 0.5  # before a lost watch is opened again; until then every check is a call to auth
_CLOCKS_S = 300.0  # clocks of machines differ by less
_KEY = re.compile(r"(jti|sid|user)\.[A-Za-z0-9_-]{1,100}")
_REMOVALS = frozenset({"DEL", "PURGE"})


async def watch_revocations(bus: Bus, revocations: Revocations) -> None:
    """Follow the revocations in NATS's key-value store for ever; begins again with all of them at every connection.

    A watcher of before a reconnection may be silent for ever: its consumer can be gone with the server that had it.
    """
    connected = asyncio.Event()

    async def note_connected() -> None:
        revocations.is_loaded = False
        connected.set()

    bus.on_connect(note_connected)
    stored: set[str] = set()
    while True:
        await bus.wait_connected(timeout=60)
        connected.clear()
        following = asyncio.ensure_future(_follow_revocations(bus, revocations, stored))
        waiting = asyncio.ensure_future(connected.wait())
        try:
            await asyncio.wait({following, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            following.cancel()
            waiting.cancel()
            await asyncio.gather(following, waiting, return_exceptions=True)
        if not connected.is_set():
            await asyncio.sleep(_FOLLOW_AGAIN_S)


async def _follow_revocations(bus: Bus, revocations: Revocations, stored: set[str]) -> None:
    async def note(message: Msg) -> None:
        key, _, cutoff = message.data.partition(b" ")
        _revoke(revocations, key.decode(errors="replace"), cutoff)

    try:
        stop = await bus.listen(REVOKED, note)
        try:
            await _follow_bucket(await bus.key_value(REVOCATIONS_BUCKET), revocations, stored)
        finally:
            with contextlib.suppress(NatsError, OSError):
                await stop()
    except (NatsError, TimeoutError, OSError, UnavailableError) as error:
        log.warning("revocations_interrupted", error=str(error) or type(error).__name__)


async def _follow_bucket(bucket: KeyValue, revocations: Revocations, stored: set[str]) -> None:
    """Follow a bucket; `stored` are the keys that it had, now and at the connection before."""
    watcher = await bucket.watchall()
    found: set[str] = set()
    try:
        async for entry in watcher:
            if entry is None:  # these were all that there are so far; what is missing was removed meanwhile
                for key in stored - found:
                    revocations.forget(key)
                stored.intersection_update(found)
                revocations.is_loaded = True
            elif entry.operation in _REMOVALS:
                revocations.forget(entry.key)
                stored.discard(entry.key)
            elif _revoke(revocations, entry.key, entry.value or b""):
                found.add(entry.key)
                stored.add(entry.key)
    finally:
        revocations.is_loaded = False  # until they are followed again, auth decides
        with contextlib.suppress(NatsError, TimeoutError, OSError):
            await asyncio.wait_for(watcher.stop(), 1)  # type: ignore[no-untyped-call]


def _revoke(revocations: Revocations, key: str, value: bytes) -> bool:
    """Revoke what an entry names; False where it is no revocation, which is logged and changes nothing."""
    try:
        revocations.revoke(key, parse_cutoff(key, value))
    except ValueError as error:
        log.warning("revocation_refused", key=key[:100], error=str(error))
        return False
    return True


def parse_cutoff(key: str, value: bytes) -> float:
    """Return the time, in epoch seconds, up to which what `key` names is revoked.

    Raises:
        ValueError: `key` names no token, session or user, or the time is none that auth would write.
    """
    kind = _KEY.fullmatch(key)
    if kind is None:
        raise ValueError("the key is not jti.<token>, sid.<session> or user.<id>")
    text = value[:40].decode(errors="replace")
    try:
        cutoff = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time in epoch seconds") from None
    # A user may sign in again at once; a session and a token are over for as long as a token lives.
    latest = time.time() + _CLOCKS_S + (0 if kind[1] == "user" else ACCESS_TOKEN_S)
    if not 0 <= cutoff <= latest:  # NaN is not
        raise ValueError(f"{text} is not between 0 and {latest:.0f} epoch seconds")
    return cutoff
