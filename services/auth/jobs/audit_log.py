"""Audit log: consumer of the calls that the other services report, and removal of old entries."""

from __future__ import annotations

import re
from datetime import timedelta

from google.protobuf.message import DecodeError
from google.rpc import code_pb2
from nats.aio.msg import Msg
from proximity.auth.v1 import events_pb2

from services.auth.convert.audit import parse_audit_record
from services.auth.domain.entities import NewAuditEntry
from services.auth.store.audit import SqlAuditStore
from services.common.core.clock import now
from services.common.core.errors import InvalidError
from services.common.core.log import get_logger
from services.common.messaging.bus import Bus
from services.common.messaging.schedule import Periodic
from services.common.messaging.streams import AUDIT, AUDIT_RECORDED, PoisonMessageError
from services.registry import SERVICES

log = get_logger()

# `<service>.<RPC>`; the length is bounded because the column is.
_ACTION = re.compile(r"([a-z]+)\.[A-Za-z]{1,80}")
_REPORTING = frozenset(SERVICES) - {"auth"}  # auth writes its own entries with their changes
_OUTCOMES = frozenset(code_pb2.Code.keys())
_PRUNE_AUDIT = timedelta(days=1)  # each pruning adds an entry; once a day is enough for a log of a year
# Clocks of machines differ by less; entries of the future would stay the newest for ever.
_AHEAD = timedelta(hours=1)


def consume_audit(bus: Bus, store: SqlAuditStore) -> None:
    """Append every reported call to the audit log, once however often it is delivered.

    A message that is no report is stored as a poison message. NATS lets a service publish under its own name only.
    """

    async def handle(message: Msg) -> None:
        try:
            entry = parse_report(message.subject, message.data)
        except (DecodeError, InvalidError, ValueError) as error:
            raise PoisonMessageError(f"no report of a call: {error}") from error
        await store.append(entry)

    bus.consume(AUDIT, f"{AUDIT_RECORDED}.*", durable="auth-audit-of-services", handler=handle)
    # The previous release names no service in the subject.
    bus.consume(AUDIT, AUDIT_RECORDED, durable="auth-audit", handler=handle)


def plan_audit_pruning(store: SqlAuditStore, days: int) -> list[Periodic]:
    """Plan the daily removal of audit entries older than `days`; nothing where `days` is 0."""

    async def prune() -> None:
        while pruned := await store.prune_older_than(now() - timedelta(days=days)):
            log.info("audit_pruned", entries=pruned, days=days)

    return [Periodic(name="prune_audit", interval=_PRUNE_AUDIT, function=prune)] if days else []


def parse_report(subject: str, data: bytes) -> NewAuditEntry:
    """Return the entry that a message of `audit.v1.recorded.<service>` reports.

    Raises:
        DecodeError, InvalidError, ValueError: it is no report, or reports a call of another service.
    """
    record = events_pb2.AuditRecorded.FromString(data)
    action = _ACTION.fullmatch(record.action)
    if action is None or action[1] not in _REPORTING:
        raise ValueError(f"{record.action[:100]!r} is no action of a service that reports")
    if subject != AUDIT_RECORDED and subject != f"{AUDIT_RECORDED}.{action[1]}":
        raise ValueError(f"{subject} may not report {record.action}")
    if record.outcome not in _OUTCOMES:
        raise ValueError(f"{record.outcome[:40]!r} is no outcome of a call")
    entry = parse_audit_record(record)
    if entry.timestamp > now() + _AHEAD:
        raise ValueError(f"{entry.timestamp} is in the future")
    return entry
