"""Reports of other services for the audit log: what cannot be one is refused."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from proximity.auth.v1 import events_pb2

from services.auth.jobs.audit_log import parse_report
from services.common.core.clock import now
from services.common.core.errors import InvalidError


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
