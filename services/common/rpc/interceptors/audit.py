"""Reports mutating calls to auth, which chains them into the audit log."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from proximity.auth.v1 import events_pb2

from services.common.core.clock import now
from services.common.db.database import Database
from services.common.messaging.outbox import add_messages, new_message
from services.common.rpc.call import Call

SUBJECT = "audit.v1.recorded"
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


def find_target(request: Message) -> str:
    """What a request names as its target, when its handler says nothing better: `app web-1, backup 7`."""
    named = [(word, getattr(request, field, None)) for field, word in _TARGETS]
    return ", ".join(f"{word} {value}".strip() for word, value in named if value)[:500]


class OutboxAudit:
    """Puts each call into the service's outbox, so that it reaches auth also when NATS is away meanwhile."""

    def __init__(self, db: Database, outbox: sa.Table) -> None:
        self._db = db
        self._outbox = outbox

    def expect(self, call: Call, *, action: str) -> None:
        """See `Audit.expect`: what these services record goes by messages, after the call."""

    async def record(self, call: Call, *, action: str, outcome: str) -> None:
        """Record one call.

        Raises:
            DatabaseUnavailableError: the service's database does not answer.
        """
        timestamp = Timestamp()
        timestamp.FromDatetime(now())
        user = call.caller.user
        message_id = uuid.uuid4().hex
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
        message = new_message(SUBJECT, event, message_id=message_id)
        await self._db.write(lambda connection: add_messages(connection, self._outbox, [message]))
