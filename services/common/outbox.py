"""Messages that commit with the data they speak of, and the relay that publishes them.

A store adds messages inside its transaction (`add_messages`); the relay publishes them in order and deletes what NATS
has stored. A message may be published twice (crash in between): its id makes NATS keep one, and consumers are
idempotent (`Inbox`).
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Iterable
from datetime import timedelta

import sqlalchemy as sa
from google.protobuf.message import Message as ProtoMessage

from services.common.clock import now
from services.common.db import Database, UtcDateTime, insert_ignore
from services.common.errors import UnavailableError
from services.common.log import get_logger
from services.common.messaging import Bus, Message
from services.common.telemetry.metrics import is_counting, note_outbox
from services.common.telemetry.tracing import current_traceparent

log = get_logger()

_BATCH = 200
_SWEEP_S = 2.0


def define_tables(metadata: sa.MetaData) -> tuple[sa.Table, sa.Table]:
    """Define the tables `outbox` and `inbox` in a service's metadata."""
    outbox = sa.Table(
        "outbox",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("message_id", sa.String(100), nullable=False, unique=True),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("traceparent", sa.String(55), nullable=False, server_default=""),
    )
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


def add_messages(connection: sa.Connection, outbox: sa.Table, messages: Iterable[Message]) -> None:
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


def note_received(connection: sa.Connection, inbox: sa.Table, message_id: str) -> bool:
    """Note in the consumer's transaction that a message was processed; False if it was before."""
    result = connection.execute(
        insert_ignore(inbox, connection).values(message_id=message_id, received_at=now())
    )
    return bool(result.rowcount)


class Relay:
    """Publishes a service's outbox."""

    def __init__(self, db: Database, bus: Bus, outbox: sa.Table, *, inbox: sa.Table | None = None) -> None:
        self._db = db
        self._bus = bus
        self._outbox = outbox
        self._inbox = inbox
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Say that there is something to publish."""
        self._wake.set()

    async def run(self) -> None:
        """Publish, for ever: when woken, and every 2 seconds for what another process left behind."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SWEEP_S):  # wait_for of Python 3.11 loses a cancellation
                    await self._wake.wait()
            self._wake.clear()
            try:
                while await self.publish_batch() == _BATCH:
                    pass
                await self._measure()
            except UnavailableError as error:
                log.warning("outbox_waits", error=error.message)

    async def publish_batch(self) -> int:
        """Publish up to 200 messages and return how many there were.

        Raises:
            UnavailableError: NATS or the database does not answer; what was not published stays.
        """
        if not self._bus.is_connected:
            return 0
        outbox = self._outbox
        query = sa.select(outbox).order_by(outbox.c.id).limit(_BATCH)
        rows = await self._db.read(lambda connection: connection.execute(query).all())
        sent: list[int] = []
        try:
            for row in rows:
                await self._bus.publish(
                    Message(row.subject, bytes(row.payload), row.message_id, row.traceparent)
                )
                sent.append(row.id)
        finally:
            if sent:
                await self._db.write(
                    lambda connection: connection.execute(outbox.delete().where(outbox.c.id.in_(sent)))
                )
        return len(rows)

    async def _measure(self) -> None:
        if is_counting():
            query = sa.select(sa.func.count()).select_from(self._outbox)
            note_outbox(await self._db.read(lambda connection: connection.execute(query).scalar_one()))

    async def prune_inbox(self, *, keep: timedelta = timedelta(days=30)) -> None:
        """Forget messages received longer ago than `keep`."""
        inbox = self._inbox
        if inbox is not None:
            limit = now() - keep
            await self._db.write(
                lambda connection: connection.execute(inbox.delete().where(inbox.c.received_at < limit))
            )
