"""Transactional outbox: messages that commit with the data they speak of, and the relay that publishes them.

A store adds messages inside its transaction (`add_messages`); the relay publishes them in order and deletes what NATS
has stored. Every process of a service has a relay; the one that has the outbox's lease publishes a batch, then gives
the lease back. A message may still be published twice (a process that dies or is paused in between): its id makes
NATS store one, and consumers are idempotent (`note_received`).
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import Message as ProtoMessage

from services.common.core.clock import now
from services.common.core.errors import UnavailableError
from services.common.core.log import get_logger
from services.common.core.telemetry.metrics import is_counting, note_outbox, note_poison
from services.common.core.telemetry.tracing import current_traceparent
from services.common.db.database import Database, UtcDateTime, insert_ignore
from services.common.messaging.bus import Bus, Message
from services.common.messaging.streams import PoisonMessages
from services.common.messaging.streams import define_table as define_poison_messages

log = get_logger()

_BATCH = 200  # messages under one lease, published one after the other
_SWEEP_S = 2.0  # how long a message waits that a process has left behind when it died
_LEASE_S = 8.0  # how long others wait for a relay that died within a batch
# Of the lease; the last publication may wait 5 s for NATS, and the rows are deleted after it.
_PUBLISHING_S = 2.5
_CONTENTION_S = 0.1  # until the next look at a lease that another relay has; a batch takes a few milliseconds
_LEASE_NAME = "relay"


def define_tables(metadata: sa.MetaData) -> tuple[sa.Table, sa.Table]:
    """Define the tables of messages in a service's metadata; return `outbox` and `inbox`."""
    outbox = sa.Table(
        "outbox",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("message_id", sa.String(100), nullable=False, unique=True),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("traceparent", sa.String(55), nullable=False, server_default=""),
        sqlite_autoincrement=True,  # a relay remembers ids outside a transaction: no id is given out twice
    )
    sa.Table(
        "outbox_lease",
        metadata,
        sa.Column("name", sa.String(20), primary_key=True),
        sa.Column("owner", sa.String(32), nullable=False),
        sa.Column("lease_until", UtcDateTime, nullable=False),
    )
    define_poison_messages(metadata)
    inbox = sa.Table(
        "inbox",
        metadata,
        sa.Column("message_id", sa.String(100), primary_key=True),
        sa.Column("received_at", UtcDateTime, nullable=False, index=True),
    )
    return outbox, inbox


def new_message(subject: str, payload: ProtoMessage, *, message_id: str = "") -> Message:
    """A message with a random id, unless one is given."""
    return Message(subject, payload.SerializeToString(), message_id or uuid.uuid4().hex)


def add_messages(connection: sa.Connection, outbox: sa.Table, *, messages: Iterable[Message]) -> None:
    """Add messages in the transaction of `connection`; one with a known id is left out."""
    for message in messages:
        connection.execute(
            insert_ignore(outbox, connection).values(
                message_id=message.message_id,
                subject=message.subject,
                payload=message.payload,
                created_at=now(),
                traceparent=current_traceparent(),
            )
        )


def note_received(connection: sa.Connection, inbox: sa.Table, *, message_id: str) -> bool:
    """Note in the consumer's transaction that a message was processed; False if it was before."""
    result = connection.execute(
        insert_ignore(inbox, connection).values(message_id=message_id, received_at=now())
    )
    return bool(result.rowcount)


class Relay:
    """Publishes a service's outbox while it has the lease for it."""

    def __init__(self, db: Database, bus: Bus, *, outbox: sa.Table, inbox: sa.Table | None = None) -> None:
        self._db = db
        self._bus = bus
        self._outbox = outbox
        self._lease = outbox.metadata.tables["outbox_lease"]
        self._inbox = inbox
        self._poison = PoisonMessages(db)
        self._owner = uuid.uuid4().hex
        self._is_leased_elsewhere = False
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Publish soon: there is a new message."""
        self._wake.set()

    async def run(self) -> None:
        """Publish, for ever: when woken, and every 2 seconds for what another process left behind."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SWEEP_S):  # wait_for of Python 3.11 loses a cancellation
                    await self._wake.wait()
            self._wake.clear()
            try:
                while await self.publish_batch() == _BATCH or self._is_leased_elsewhere:
                    if self._is_leased_elsewhere:
                        await asyncio.sleep(_CONTENTION_S)
                await self._measure()
            except UnavailableError as error:
                log.warning("outbox_waits", error=error.message)

    async def publish_batch(self) -> int:
        """Publish up to 200 messages and return how many there were; 0 while another relay has the lease.

        Raises:
            UnavailableError: NATS or the database does not answer; what was not published stays.
        """
        self._is_leased_elsewhere = False
        if not self._bus.is_connected or not await self._has_work():
            return 0
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PUBLISHING_S
        rows = await self._db.write(self._claim)
        sent: list[sa.Row[Any]] = []
        try:
            for row in rows:
                if sent and loop.time() > deadline:
                    break
                await self._bus.publish(
                    Message(row.subject, bytes(row.payload), row.message_id, row.traceparent)
                )
                sent.append(row)
        finally:
            if rows:
                await self._db.write(lambda connection: self._finish(connection, sent))
        return len(rows)

    async def _has_work(self) -> bool:
        """Whether there are messages and no other relay publishes them: a query without a transaction."""
        query = sa.select(
            sa.exists(sa.select(self._outbox.c.id)),
            sa.exists(sa.select(self._lease.c.name).where(sa.not_(self._is_claimable()))),
        )
        has_messages, is_leased = await self._db.read(lambda connection: connection.execute(query).one())
        self._is_leased_elsewhere = bool(has_messages and is_leased)
        return bool(has_messages and not is_leased)

    def _is_claimable(self) -> sa.ColumnElement[bool]:
        return sa.or_(self._lease.c.owner == self._owner, self._lease.c.lease_until < now())

    def _claim(self, connection: sa.Connection) -> list[sa.Row[Any]]:
        """Claim the lease and return the oldest messages; none when another relay has claimed it meanwhile."""
        values = {"owner": self._owner, "lease_until": now() + timedelta(seconds=_LEASE_S)}
        new = insert_ignore(self._lease, connection).values(name=_LEASE_NAME, **values)
        if not connection.execute(new).rowcount:
            taken = self._lease.update().where(self._is_claimable()).values(**values)
            if not connection.execute(taken).rowcount:
                self._is_leased_elsewhere = True
                return []
        query = sa.select(self._outbox).order_by(self._outbox.c.id).limit(_BATCH)
        return list(connection.execute(query).all())

    def _finish(self, connection: sa.Connection, sent: Sequence[sa.Row[Any]]) -> None:
        """Delete what was published, each row by both of its ids, and give the lease back."""
        outbox = self._outbox
        connection.execute(
            outbox.delete().where(
                outbox.c.id.in_([row.id for row in sent]),
                outbox.c.message_id.in_([row.message_id for row in sent]),
            )
        )
        connection.execute(self._lease.delete().where(self._lease.c.owner == self._owner))

    async def _measure(self) -> None:
        if is_counting():
            query = sa.select(sa.func.count()).select_from(self._outbox)
            note_outbox(await self._db.read(lambda connection: connection.execute(query).scalar_one()))
            note_poison(await self._poison.count())

    async def prune_inbox(self, *, keep: timedelta = timedelta(days=30)) -> None:
        """Forget messages received longer ago than `keep`."""
        inbox = self._inbox
        if inbox is not None:
            limit = now() - keep
            await self._db.write(
                lambda connection: connection.execute(inbox.delete().where(inbox.c.received_at < limit))
            )
