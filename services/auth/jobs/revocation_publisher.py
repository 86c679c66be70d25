"""Revocations to NATS's key-value store, which every service watches: at once, and again after every reconnection.

They are also said without being stored, again and again until they are: a NATS whose disk is full stores nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from nats.errors import Error as NatsError

from services.auth.domain.entities import Revocation
from services.auth.store.revocations import SqlRevocationStore, StoredRevocation
from services.common.core.errors import UnavailableError
from services.common.core.log import get_logger
from services.common.identity.tokens import Revocations
from services.common.messaging.bus import Bus
from services.common.messaging.streams import REVOCATIONS_BUCKET, REVOKED

log = get_logger()

_BATCH = 200
_SWEEP_S = 0.5


class RevocationPublisher:
    """Publishes what the database says is revoked; implements the domain's `RevocationSink`.

    Args:
        store: the revocations in the database.
        bus: NATS.
        revocations: what this process itself refuses.
    """

    def __init__(self, store: SqlRevocationStore, bus: Bus, revocations: Revocations) -> None:
        self._store = store
        self._bus = bus
        self._revocations = revocations
        self._wake = asyncio.Event()
        self._again = False
        bus.on_connect(self._publish_again)

    def note_revoked(self, revocations: Sequence[Revocation]) -> None:
        """See `RevocationSink.note_revoked`."""
        for revocation in revocations:
            self._revocations.revoke(revocation.key, revocation.cutoff)
        if revocations:
            self._wake.set()

    async def load(self) -> None:
        """Refuse here what was revoked before this process started."""
        for revocation in await self._store.list_current():
            self._revocations.revoke(revocation.key, revocation.cutoff)

    async def run(self) -> None:
        """Publish, for ever: when woken, and twice a second for what another process left behind."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SWEEP_S):  # wait_for of Python 3.11 loses a cancellation
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._publish_pending()
            except (UnavailableError, NatsError, TimeoutError, OSError) as error:
                log.warning("revocations_wait", error=str(error) or type(error).__name__)
                await asyncio.sleep(_SWEEP_S)

    async def _publish_pending(self) -> None:
        if not self._bus.is_connected:
            await self.load()  # what another replica revoked is in the database
            return
        if self._again:
            self._again = False  # before: a connection that is made meanwhile asks for it once more
            try:
                await self._publish(await self._store.list_current())
            except BaseException:
                self._again = True
                raise
        while pending := await self._store.list_unpublished(_BATCH):
            await self._publish(pending)

    async def _publish(self, found: Sequence[StoredRevocation]) -> None:
        if not found:
            return
        for revocation in found:
            self._revocations.revoke(revocation.key, revocation.cutoff)
            await self._bus.hint(REVOKED, f"{revocation.key} {revocation.cutoff:.6f}".encode())
        bucket = await self._bus.key_value(REVOCATIONS_BUCKET)
        for revocation in found:
            await bucket.put(revocation.key, f"{revocation.cutoff:.6f}".encode())
        await self._store.mark_published([revocation.id for revocation in found])

    async def _publish_again(self) -> None:
        """NATS may have lost its store, or another server answers: say everything again."""
        self._again = True
        self._wake.set()
