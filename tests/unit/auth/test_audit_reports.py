"""Reports of other services for the audit log: what cannot be one is refused."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import events_pb2

from services.auth.jobs.audit_log import parse_report
from services.common.core.clock import now
from services.common.core.errors import InvalidError
from services.common.messaging.bus import Bus
from services.common.messaging.outbox import new_message
from services.common.messaging.streams import AUDIT_RECORDED
from services.common.rpc.responses.rendered import render_time
from tests.fakes.auth_server import bearer, make_settings, run


def make_report(**changes: Any) -> events_pb2.AuditRecorded:
    timestamp = Timestamp()
    timestamp.FromDatetime(now())
    fields: dict[str, Any] = {
        "id": "1",
        "timestamp": timestamp,
        "action": "apps.DeployApp",
        "outcome": "OK",
        "username": "root",
    }
    return events_pb2.AuditRecorded(**(fields | changes))


@pytest.mark.parametrize("subject", ["audit.v1.recorded.apps", "audit.v1.recorded"])
def test_a_service_reports_its_own_calls(subject: str) -> None:
    entry = parse_report(subject, make_report().SerializeToString())
    assert (entry.action, entry.outcome, entry.username) == ("apps.DeployApp", "OK", "root")


@pytest.mark.parametrize(
    ("subject", "changes"),
    [
        ("audit.v1.recorded.catalog", {}),
        ("audit.v1.recorded.catalog", {"action": "auth.DeleteUser"}),
        ("audit.v1.recorded.auth", {"action": "auth.DeleteUser"}),
        ("audit.v1.recorded", {"action": "auth.DeleteUser"}),
        ("audit.v1.recorded.apps", {"action": ""}),
        ("audit.v1.recorded.apps", {"action": "apps.\x1b[2J"}),
        ("audit.v1.recorded.apps", {"action": "nobody.DeployApp"}),
        ("audit.v1.recorded.apps", {"outcome": "FINE"}),
        ("audit.v1.recorded.apps", {"timestamp": Timestamp(seconds=99_999_999_999)}),
        ("audit.v1.recorded.apps", {"timestamp": Timestamp(seconds=1 << 60)}),
    ],
)
def test_what_is_no_report_of_that_service_is_refused(subject: str, changes: dict[str, Any]) -> None:
    with pytest.raises((InvalidError, ValueError)):
        parse_report(subject, make_report(**changes).SerializeToString())


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(DecodeError):
        parse_report("audit.v1.recorded.apps", b"\xff\xff\xff")


async def test_what_other_services_report_is_chained_once(state: Path, nats: str) -> None:
    async with run(make_settings(state, NATS_URL=nats), messaging=True) as client:
        bus = Bus(nats, name="apps")  # which reports under its own name
        bus.start()
        assert await bus.wait_connected(timeout=20)
        record = events_pb2.AuditRecorded(
            id=secrets.token_hex(8),
            timestamp=render_time(now()),
            username="root",
            action="apps.DeployApp",
            target="app web",
            address="192.0.2.1",
            outcome="OK",
        )
        for _ in range(2):
            await bus.publish(new_message(AUDIT_RECORDED, record))
        root = await client.register("root")
        request = pb.ListAuditEntriesRequest(action="apps.DeployApp")
        async with asyncio.timeout(60):
            while not (await client.public.ListAuditEntries(request, metadata=bearer(root.access))).total:  # noqa: ASYNC110 - NATS decides when
                await asyncio.sleep(0.02)
        await client.auth.stores.audit.verify()
        assert (await client.public.ListAuditEntries(request, metadata=bearer(root.access))).total == 1
        await bus.close()
