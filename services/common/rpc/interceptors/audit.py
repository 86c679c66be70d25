"""Reports mutating calls to auth, which chains them into the audit log."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Awaitable, Callable

import sqlalchemy as sa
from google.protobuf.message import Message as ProtoMessage
from google.protobuf.timestamp_pb2 import Timestamp
from proximity.auth.v1 import events_pb2

from services.common.core.clock import now
from services.common.core.errors import UnavailableError
from services.common.core.log import get_logger
from services.common.db.database import Database
from services.common.db.pending import PendingEntry, pending_entry
from services.common.messaging.bus import Message
from services.common.messaging.outbox import add_messages, new_message
from services.common.messaging.streams import AUDIT_RECORDED
from services.common.rpc.call import Call

log = get_logger()

_RETRY_S = 2.0  # between attempts, while the database does not take entries
_MOST_WAITING = 10_000  # 1 KiB each
_TARGETS = (
    ("app_id", "app"),
    ("backup_id", "backup"),
    ("operation_id", "operation"),
    ("source_id", "source"),
    ("host_id", "host"),
    ("vmid", "container"),
    ("id", ""),
    ("catalog_id", "item"),
    ("hostname", "hostname"),
    ("username", "user"),
    ("name", "name"),
)


def find_target(request: ProtoMessage) -> str:
    """Describe the target that a request names, for handlers that name none: `app web-1, backup 7`."""
    named = [(word, getattr(request, field, None)) for field, word in _TARGETS]
    return ", ".join(f"{word} {value}".strip() for word, value in named if value)[:500]


class OutboxAudit:
    """Puts each call into the service's outbox, so that it reaches auth also when NATS is away meanwhile.

    The entry of a call that changes something is in the transaction of the change. A call that was refused, or changed
    nothing, is recorded when it ends. Where the database does not take that, a refusal waits in memory, and a call that
    would have been accepted is refused.
    """

    def __init__(self, db: Database, outbox: sa.Table) -> None:
        self._db = db
        self._outbox = outbox
        self._waiting = WaitingEntries()

    def expect(self, call: Call, *, action: str) -> None:
        """See `Audit.expect`."""

        def write(connection: sa.Connection) -> None:
            message = _build_message(call, action, "OK", message_id=call.audit_id)
            add_messages(connection, self._outbox, [message])

        pending_entry.set(PendingEntry(write))

    async def record(self, call: Call, *, action: str, outcome: str) -> None:
        """See `Audit.record`."""
        entry = pending_entry.get()
        is_recorded = entry is not None and entry.is_written
        if entry is not None:
            entry.is_closed = True
        if is_recorded and outcome in {"OK", "CANCELLED"}:  # a client that disconnected had its change made
            return
        message_id = call.audit_id if outcome == "OK" else uuid.uuid4().hex
        message = _build_message(call, action, outcome, message_id=message_id)

        async def write() -> None:
            await self._db.write(
                lambda connection: add_messages(connection, self._outbox, [message]), is_final=False
            )

        if outcome == "OK":
            await write()
            return
        user = call.caller.user
        await self._waiting.write(
            write, action=action, outcome=outcome, target=call.audit_target, user_id=user.id if user else None
        )

    async def run(self) -> None:
        """See `Audit.run`."""
        await self._waiting.run()


def _build_message(call: Call, action: str, outcome: str, *, message_id: str) -> Message:
    timestamp = Timestamp()
    timestamp.FromDatetime(now())
    user = call.caller.user
    event = events_pb2.AuditRecorded(
        id=message_id,
        timestamp=timestamp,
        user_id=user.id if user else None,
        username=user.username if user else "",
        action=action,
        target=call.audit_target,
        address=call.address,
        outcome=outcome,
    )
    return new_message(AUDIT_RECORDED, event, message_id=message_id)


class WaitingEntries:
    """Entries that the database did not take: they are in the log at once, and written when it takes them again."""

    def __init__(self) -> None:
        self._entries: deque[tuple[Callable[[], Awaitable[None]], dict[str, object]]] = deque()
        self._wake = asyncio.Event()

    async def write(self, write: Callable[[], Awaitable[None]], **words: object) -> None:
        """Write an entry now, or later if that fails; `words` say in the log what it is about."""
        if self._entries:  # the call does not wait for a database that takes nothing
            self._keep(write, words)
            return
        try:
            await write()
        except UnavailableError as error:
            self._keep(write, {**words, "error": error.message})

    async def run(self) -> None:
        """Write what waits, for ever; what still waits at the end is in the log once more."""
        try:
            while True:
                await self._wake.wait()
                await asyncio.sleep(_RETRY_S)
                await self._write_waiting()
        finally:
            for _, words in self._entries:
                log.error("audit_entry_lost", **words)

    def _keep(self, write: Callable[[], Awaitable[None]], words: dict[str, object]) -> None:
        if len(self._entries) >= _MOST_WAITING:
            log.error("audit_entry_lost", **words)
            return
        log.warning("audit_entry_waits", **words)
        self._entries.append((write, words))
        self._wake.set()

    async def _write_waiting(self) -> None:
        while self._entries:
            try:
                await self._entries[0][0]()
            except UnavailableError:
                return
            self._entries.popleft()
        self._wake.clear()
