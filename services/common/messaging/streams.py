"""Streams and buckets in NATS, and the messages of streams that nothing could process.

The streams are JOBS (`jobs.>`, a work queue), EVENTS (`events.>`) and AUDIT (`audit.>`), the bucket is for revocations.

A message is poison when its content is none that the consumer knows, or when its handler has failed too often for a
reason that does not pass by itself. Poison is set aside in the consumer's own database, where it is counted and from where
it is replayed. What waits for a database or another service is delivered again without a limit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import KeyValueConfig, RetentionPolicy, StreamConfig
from nats.js.errors import NotFoundError

from services.common.core.clock import now
from services.common.db.database import Database, UtcDateTime, insert_ignore

JOBS, EVENTS, AUDIT = "JOBS", "EVENTS", "AUDIT"
AUDIT_RECORDED = "audit.v1.recorded"  # published as `audit.v1.recorded.<service>`
REVOCATIONS_BUCKET = "revocations"
REVOKED = "live.auth.revoked"  # `<key> <cutoff>`, as they come into the bucket
_SUBJECT_PART = re.compile(r"[A-Za-z0-9_-]+")
_DAY_S = 86_400.0  # seconds
_MOST_BYTES = 1 << 30  # of a stream: a full disk would stop all of them
_SAME_MESSAGE_S = 120.0  # in which NATS discards a repeated message id; a relay repeats within seconds


def find_inbox_prefix(servers: Sequence[str], name: str) -> str:
    """Return the prefix of the subjects on which replies come: the user's own, so that no other user reads them.

    It is below `_INBOX`, which NATS' own examples of permissions allow.

    Args:
        servers: URLs; the first one with a user counts.
        name: of the process, where no URL has a user that can be a part of a subject.
    """
    users = (urlsplit(server if "//" in server else f"nats://{server}").username for server in servers)
    user = next((user for user in users if user and _SUBJECT_PART.fullmatch(user)), name)
    return f"_INBOX.{user}"


def name_subject(subject: str, *, service: str) -> str:
    """Return where a service publishes a message: reports for the audit log say whose they are."""
    return f"{AUDIT_RECORDED}.{service}" if subject == AUDIT_RECORDED else subject


async def ensure_streams(js: JetStreamContext, *, replicas: int) -> dict[str, object]:
    """Make the streams and the bucket that are not there, each on `replicas` servers; others stay as they are.

    Returns:
        When each was created, by name: another time for a stream that was deleted meanwhile.

    Raises:
        nats.errors.Error, TimeoutError, OSError: NATS does not answer.
    """
    created: dict[str, object] = {}
    for config in _list_streams(replicas):
        name = str(config.name)
        try:
            found = await js.stream_info(name)
        except NotFoundError:
            found = await js.add_stream(config)
        created[name] = found.created
    bucket = f"KV_{REVOCATIONS_BUCKET}"  # the stream in which NATS has it
    try:
        created[bucket] = (await js.stream_info(bucket)).created
    except NotFoundError:
        await js.create_key_value(
            KeyValueConfig(bucket=REVOCATIONS_BUCKET, ttl=8 * _DAY_S, replicas=replicas)
        )
        created[bucket] = (await js.stream_info(bucket)).created
    return created


def _list_streams(replicas: int) -> tuple[StreamConfig, ...]:
    jobs = StreamConfig(
        name=JOBS, subjects=["jobs.>"], retention=RetentionPolicy.WORK_QUEUE, max_age=7 * _DAY_S
    )
    events = StreamConfig(name=EVENTS, subjects=["events.>"], max_age=7 * _DAY_S, max_bytes=_MOST_BYTES)
    audit = StreamConfig(name=AUDIT, subjects=["audit.>"], max_age=30 * _DAY_S, max_bytes=_MOST_BYTES)
    for config in (jobs, events, audit):
        config.num_replicas, config.duplicate_window = replicas, _SAME_MESSAGE_S
    return jobs, events, audit


MESSAGE_ID = "Nats-Msg-Id"  # the header by which JetStream knows a message that comes twice
# Rows per service, each with a payload of _LARGEST bytes at most: a flood of garbage fills no disk.
_MOST = 1000
_LARGEST = 64 << 10  # bytes; messages of ours have a few hundred
_LONGEST_ERROR = 1000  # characters: an error with a stack of causes, and a row of 1 KiB


class PoisonMessageError(Exception):
    """Raised by a handler: the message is none that any delivery could process."""


def define_table(metadata: sa.MetaData) -> sa.Table:
    """Define the table `poison_messages` in a service's metadata."""
    return sa.Table(
        "poison_messages",
        metadata,
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("consumer", sa.String(100), nullable=False),
        sa.Column("message_id", sa.String(150), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("set_aside_at", UtcDateTime, nullable=False),
        sa.Column("replay", sa.Boolean, nullable=False),
        sa.UniqueConstraint("consumer", "message_id"),
        sqlite_autoincrement=True,
    )


_table = define_table(sa.MetaData())


@dataclass(frozen=True)
class PoisonMessage:
    """A message that was set aside."""

    id: int
    consumer: str
    message_id: str
    subject: str
    payload: bytes
    error: str
    attempts: int
    set_aside_at: datetime
    replay: bool


class ReplayedMessage(Msg):
    """A poison message as its handler gets it again: from the database, so there is nothing to acknowledge."""

    def __init__(self, message: PoisonMessage) -> None:
        headers = {MESSAGE_ID: message.message_id}
        super().__init__(Client(), subject=message.subject, data=message.payload, headers=headers)

    async def in_progress(self) -> None:
        """Do nothing: no server waits for an acknowledgement."""


class PoisonMessages:
    """The poison messages of a service."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add(self, consumer: str, message: Msg, *, message_id: str, error: str, attempts: int) -> bool:
        """Set a message aside; False when it is so large, or there are so many, that only the log has it.

        Raises:
            UnavailableError: the database does not answer.
        """
        values = {
            "consumer": consumer,
            "message_id": message_id[:150],
            "subject": message.subject[:200],
            "payload": message.data,
            "error": error[:_LONGEST_ERROR],
            "attempts": attempts,
            "set_aside_at": now(),
            "replay": False,
        }

        def write(connection: sa.Connection) -> bool:
            if len(message.data) > _LARGEST or connection.execute(_count()).scalar_one() >= _MOST:
                return False
            connection.execute(insert_ignore(_table, connection).values(**values))
            return True

        return await self._db.write(write)

    async def count(self) -> int:
        """Count them."""
        return await self._db.read(lambda connection: int(connection.execute(_count()).scalar_one()))

    async def list_all(self) -> list[PoisonMessage]:
        """All of them, the oldest first."""
        return await self._list(sa.true())

    async def list_replays(self, consumer: str) -> list[PoisonMessage]:
        """Those of a consumer that shall be handled again."""
        return await self._list((_table.c.consumer == consumer) & _table.c.replay)

    async def request_replay(self, ids: Sequence[int]) -> int:
        """Let consumers handle messages again, all when none is named; how many that are."""
        return await self._change(_table.update().values(replay=True), ids)

    async def drop(self, ids: Sequence[int]) -> int:
        """Forget messages, all when none is named; how many that were."""
        return await self._change(_table.delete(), ids)

    async def fail_replay(self, message: PoisonMessage, error: str) -> None:
        """Note that a message could not be handled again."""
        values: Mapping[str, object] = {
            "replay": False,
            "error": error[:_LONGEST_ERROR],
            "attempts": message.attempts + 1,
        }
        await self._change(_table.update().values(**values), [message.id])

    async def _list(self, condition: sa.ColumnElement[bool]) -> list[PoisonMessage]:
        query = sa.select(_table).where(condition).order_by(_table.c.id)
        rows = await self._db.read(lambda connection: connection.execute(query).mappings().all())
        return [PoisonMessage(**{**row, "payload": bytes(row["payload"])}) for row in rows]

    async def _change(self, change: sa.Update | sa.Delete, ids: Sequence[int]) -> int:
        if ids:
            change = change.where(_table.c.id.in_(ids))
        return int(await self._db.write(lambda connection: connection.execute(change).rowcount))


def _count() -> sa.Select[Any]:
    return sa.select(sa.func.count()).select_from(_table)
