"""Metrics that are measured: databases, spans of refusals, ids of requests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import structlog
from prometheus_client import REGISTRY
from proximity.apps.v1 import apps_service_pb2
from proximity.inventory.v1 import container_service_pb2

from services.common.core.errors import InvalidError, NotFoundError, UnavailableError
from services.common.core.telemetry.metrics import (
    BackupMeasure,
    ConsumerMeasure,
    DatabaseMeasure,
    StreamMeasure,
    note_apps,
    note_backups,
    note_certificate,
    note_database,
    note_host_certificates,
    note_hosts,
    note_messaging,
)
from services.common.core.telemetry.tracing import identifying, is_no_lookup
from services.common.rpc.status import find_ids


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    note_hosts({})
    note_database(DatabaseMeasure(size_bytes=0))


def read(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_sessions_that_ended_disappear() -> None:
    note_database(DatabaseMeasure(size_bytes=1, sessions={"active": 2, "idle": 1}, deadlocks=3))
    assert read("proximity_database_sessions", state="active") == 2
    assert read("proximity_database_deadlocks") == 3
    note_database(DatabaseMeasure(size_bytes=1, sessions={"idle": 1}))
    assert read("proximity_database_sessions", state="active") is None
    assert read("proximity_database_sessions", state="idle") == 1


def test_hosts_that_were_removed_are_not_reported_as_offline() -> None:
    note_hosts({"rack": "online", "attic": "offline", "shed": "unknown"})
    assert [read("proximity_host_online", host=name) for name in ("rack", "attic", "shed")] == [1, 0, 0]
    note_hosts({"rack": "online"})
    moment = datetime(2027, 1, 1, tzinfo=UTC)
    note_host_certificates({"rack": moment, "attic": moment})
    note_host_certificates({"rack": moment})
    name = "proximity_host_certificate_expiry_timestamp_seconds"
    assert (read(name, host="rack"), read(name, host="attic")) == (moment.timestamp(), None)
    assert read("proximity_host_online", host="attic") is None


def test_a_status_that_no_app_has_any_more_is_gone_or_zero() -> None:
    note_apps({"error": 2, "deploying": 1})
    assert read("proximity_apps", status="error") == 2
    note_apps({"running": 3})
    assert read("proximity_apps", status="error") == 0
    assert read("proximity_apps", status="deploying") is None


def test_backups_messages_and_certificates_are_noted() -> None:
    note_backups(
        BackupMeasure(
            by_status={"completed": 4},
            last_failed=1,
            overdue=2,
            by_test={"passed": 3},
            tests_last_failed=1,
            broken=5,
        )
    )
    assert read("proximity_backups", status="completed") == 4
    assert read("proximity_backups", status="missing") == 0
    assert read("proximity_backups_overdue") == 2
    assert read("proximity_restore_tests", status="passed") == 3
    assert read("proximity_restore_tests", status="failed") == 0
    assert read("proximity_restore_tests_last_failed") == 1
    assert read("proximity_backups_broken") == 5
    note_messaging(
        [ConsumerMeasure(name="apps-run", pending=5, unacknowledged=1)],
        [StreamMeasure(name="JOBS", messages=6, size_bytes=700)],
    )
    assert read("proximity_consumer_pending_messages", consumer="apps-run") == 5
    assert read("proximity_stream_bytes", stream="JOBS") == 700
    note_certificate("ca", datetime(2030, 1, 1, tzinfo=UTC))
    assert read("proximity_certificate_expiry_timestamp_seconds", certificate="ca") == 1_893_456_000


@pytest.mark.parametrize(
    ("error", "is_fault"),
    [(NotFoundError("no app"), False), (InvalidError("bad"), True), (UnavailableError("away"), True)],
)
def test_that_something_does_not_exist_is_no_fault_of_a_span(error: Exception, is_fault: bool) -> None:
    assert is_no_lookup(error) is is_fault


def test_a_request_names_the_app_that_it_is_about() -> None:
    assert find_ids(apps_service_pb2.GetAppRequest(app_id="web-1")) == {"app_id": "web-1"}
    assert find_ids(container_service_pb2.ContainerActionRequest(owner="web-2")) == {"app_id": "web-2"}
    assert find_ids(container_service_pb2.ContainerRef(vmid=1)) == {}


def test_ids_are_in_every_line_of_the_log_within_and_in_none_after() -> None:
    with identifying(app_id="web-1", operation_id=""):
        assert structlog.contextvars.get_contextvars()["app_id"] == "web-1"
        assert "operation_id" not in structlog.contextvars.get_contextvars()
    assert "app_id" not in structlog.contextvars.get_contextvars()
