"""Entries of the audit log."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import events_pb2, user_pb2

from services.auth.convert.fields import parse_time
from services.auth.domain.audit import list_targets
from services.auth.domain.entities import AuditEntry, AuditFilter, NewAuditEntry, Page
from services.common.rpc.call import parse_address
from services.common.rpc.responses.rendered import render_time


def parse_audit_record(record: events_pb2.AuditRecorded) -> NewAuditEntry:
    """Parse a reported call; its fields are cut to the width of their columns."""
    identity = record.id or hashlib.sha256(record.SerializeToString(deterministic=True)).hexdigest()
    return NewAuditEntry(
        message_id=identity[:100],
        timestamp=parse_time(record.timestamp, "timestamp"),
        user_id=record.user_id if record.HasField("user_id") else None,
        username=record.username[:150],
        action=record.action[:100],
        target=record.target[:500],
        address=parse_address(record.address),
        outcome=record.outcome[:40],
    )


def parse_audit_filter(request: pb.ListAuditEntriesRequest) -> AuditFilter:
    """Parse which entries are requested."""
    return AuditFilter(
        user=request.user,
        action=request.action,
        target=request.target.strip(),
        since=parse_time(request.since, "since") if request.HasField("since") else None,
    )


def render_audit_entries(
    entries: Sequence[AuditEntry], total: int, *, page: Page
) -> pb.ListAuditEntriesResponse:
    """Render a page of the audit log."""
    rendered = [_render_audit_entry(entry) for entry in entries]
    return pb.ListAuditEntriesResponse(entries=rendered, total=total, page=page.number, per_page=page.size)


def _render_audit_entry(entry: AuditEntry) -> user_pb2.AuditEntry:
    return user_pb2.AuditEntry(
        id=entry.id,
        timestamp=render_time(entry.timestamp),
        user_id=entry.user_id,
        username=entry.username,
        action=entry.action,
        target=entry.target,
        address=entry.address,
        outcome=entry.outcome,
        hash=entry.hash,
        targets=[user_pb2.AuditTarget(kind=kind, id=name) for kind, name in list_targets(entry.target)],
    )
