"""Publication of revocations to a key-value bucket of NATS that every service watches.

Revocations are published at once, and again after every reconnection. They are also broadcast without being stored, and
repeated until they are stored, because a NATS server whose disk is full stores nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from nats.errors import Error as NatsError

from services.auth.domain.credentials import Revocation
from services.auth.store.revocations import SqlRevocationStore, StoredRevocation
from services.common.core.errors import UnavailableError
from services.common.core.log import get_logger
from services.common.identity.tokens import Revocations
from services.common.messaging.bus import Bus
from services.common.messaging.streams import REVOCATIONS_BUCKET, REVOKED

log = get_logger()

_BATCH = 200  # revocations read at once; ending all sessions of a user is one batch
# Between two reads of the database, for revocations of commands and of processes that died. Half of the second within
# which a revocation takes effect.
_SWEEP_S = 0.5


class RevocationPublisher:
    """Publisher of the revocations in the database; implements `RevocationSink`.

    Args:
        store: the revocations in the database.
        bus: NATS.
        revocations: credentials that this process refuses.
    """

    def __init__(self, store: SqlRevocationStore, *, bus: Bus, revocations: Revocations) -> None:
        self._store = store
        self._bus = bus
        self._revocations = revocations
        self._wake = asyncio.Event()
        self._republish = False
        bus.on_connect(self._publish_again)

    def note_revoked(self, revocations: Sequence[Revocation]) -> None:
        """See `RevocationSink.note_revoked`."""
        for revocation in revocations:
            self._revocations.revoke(revocation.key, revocation.cutoff)
        if revocations:
            self._wake.set()

    async def load(self) -> None:
        """Refuse in this process the credentials that were revoked before it started."""
        for revocation in await self._store.list_current():
            self._revocations.revoke(revocation.key, revocation.cutoff)

    async def run(self) -> None:
        """Publish for ever: when woken, and twice a second for revocations of other processes."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SWEEP_S):  # wait_for of Python 3.11 loses a cancellation
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._publish_pending()
            except (UnavailableError, NatsError, TimeoutError, OSError) as error:
                log.warning("revocations_not_published", error=str(error) or type(error).__name__)
                await asyncio.sleep(_SWEEP_S)

    async def _publish_pending(self) -> None:
        if not self._bus.is_connected:
            await self.load()  # revocations of other replicas are in the database
            return
        if self._republish:
            self._republish = False  # reset first: a reconnection during the publication sets it again
            try:
                await self._publish(await self._store.list_current())
            except BaseException:
                self._republish = True
                raise
        while pending := await self._store.list_unpublished(_BATCH):
            await self._publish(pending)

    async def _publish(self, found: Sequence[StoredRevocation]) -> None:
        if not found:
            return
        for revocation in found:
            self._revocations.revoke(revocation.key, revocation.cutoff)
            # The broadcast comes first: a server whose disk is full still delivers it.
            await self._bus.hint(REVOKED, f"{revocation.key} {revocation.cutoff:.6f}".encode())
        bucket = await self._bus.key_value(REVOCATIONS_BUCKET)
        for revocation in found:
            await bucket.put(revocation.key, f"{revocation.cutoff:.6f}".encode())
        # Last: after a crash they are published again, which changes nothing.
        await self._store.mark_published([revocation.id for revocation in found])

    async def _publish_again(self) -> None:
        """Publish everything again after a reconnection: the server may have lost its store, or be another one."""
        self._republish = True
        self._wake.set()
