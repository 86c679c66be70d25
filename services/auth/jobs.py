"""NATS in: calls that the other services report for the audit log."""

from __future__ import annotations

from google.protobuf.message import DecodeError
from nats.aio.msg import Msg
from proximity.auth.v1 import events_pb2

from services.auth.convert import parse_audit_record
from services.auth.store.audit import SqlAuditStore
from services.common.core.log import get_logger
from services.common.messaging.bus import Bus

log = get_logger()

AUDIT_RECORDED = "audit.v1.recorded"


def consume_audit(bus: Bus, store: SqlAuditStore) -> None:
    """Chain every reported call into the audit log, once however often it is delivered."""

    async def handle(message: Msg) -> None:
        try:
            record = events_pb2.AuditRecorded.FromString(message.data)
        except DecodeError:
            log.warning("audit_record_unreadable", size=len(message.data))
            return
        await store.append(parse_audit_record(record))

    bus.consume("AUDIT", AUDIT_RECORDED, durable="auth-audit", handler=handle)
