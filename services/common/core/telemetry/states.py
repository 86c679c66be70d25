"""Gauges that a process measures at intervals: what its database, its queues and its certificates are like now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # most processes of a small site serve no metrics and never load the library
    from prometheus_client import Gauge


@dataclass(frozen=True, kw_only=True)
class DatabaseMeasure:
    """Measure of a database; the sessions and what follows are those of PostgreSQL.

    Attributes:
        sessions: number of connections by state.
        transaction_age_s: seconds since the oldest open transaction began.
    """

    size_bytes: int
    sessions: Mapping[str, int] = field(default_factory=dict)
    deadlocks: int = 0
    transaction_age_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class BackupMeasure:
    """Counts of backups.

    Attributes:
        last_failed: apps whose newest backup failed.
        overdue: apps with a backup that is overdue by the schedule of a policy.
        by_test: completed backups by the status of their restore test.
        tests_last_failed: apps of whose tested backups the newest failed its test.
    """

    by_status: Mapping[str, int]
    last_failed: int
    overdue: int
    by_test: Mapping[str, int]
    tests_last_failed: int


@dataclass(frozen=True, kw_only=True)
class ConsumerMeasure:
    """Measure of a durable consumer: messages that it has not fetched, and those that it has not processed."""

    name: str
    pending: int
    unacknowledged: int


@dataclass(frozen=True, kw_only=True)
class StreamMeasure:
    """Measure of a stream."""

    name: str
    messages: int
    size_bytes: int


_shown: dict[Gauge, set[tuple[str, ...]]] = {}  # the labels that each gauge has now


def _replace(gauge: Gauge, values: Mapping[tuple[str, ...], float]) -> None:
    """Set a gauge's series and remove those of before; a scrape between never misses one that stays."""
    for labels, value in values.items():
        gauge.labels(*labels).set(value)
    for labels in _shown.get(gauge, set()) - set(values):
        gauge.remove(*labels)
    _shown[gauge] = set(values)


def note_apps(by_status: Mapping[str, int]) -> None:
    """Note how many apps there are by status."""
    from services.common.core.telemetry import instruments

    counts = {"running": 0, "stopped": 0, "error": 0, **by_status}
    _replace(instruments.APPS, {(status,): count for status, count in counts.items()})


def note_hosts(statuses: Mapping[str, str]) -> None:
    """Note which hosts answer, by name; those that were removed or switched off disappear."""
    from services.common.core.telemetry import instruments

    _replace(instruments.HOST_ONLINE, {(name,): status == "online" for name, status in statuses.items()})


def note_backups(measure: BackupMeasure) -> None:
    """Note how many backups there are, and how many are missing."""
    from services.common.core.telemetry import instruments

    counts = {"completed": 0, "failed": 0, "missing": 0, **measure.by_status}
    _replace(instruments.BACKUPS, {(status,): count for status, count in counts.items()})
    instruments.BACKUPS_LAST_FAILED.set(measure.last_failed)
    instruments.BACKUPS_OVERDUE.set(measure.overdue)
    tests = {"untested": 0, "running": 0, "passed": 0, "failed": 0, **measure.by_test}
    _replace(instruments.RESTORE_TESTS, {(status,): count for status, count in tests.items()})
    instruments.RESTORE_TESTS_LAST_FAILED.set(measure.tests_last_failed)


def note_certificate(name: str, expires_at: datetime) -> None:
    """Note when a certificate expires."""
    from services.common.core.telemetry import instruments

    instruments.CERTIFICATE_EXPIRY.labels(name).set(expires_at.timestamp())


def note_database(measure: DatabaseMeasure) -> None:
    """Note what the service's database is like."""
    from services.common.core.telemetry import instruments

    instruments.DATABASE_BYTES.set(measure.size_bytes)
    instruments.DATABASE_DEADLOCKS.set(measure.deadlocks)
    instruments.DATABASE_TRANSACTION_AGE.set(measure.transaction_age_s)
    _replace(instruments.DATABASE_SESSIONS, {(state,): count for state, count in measure.sessions.items()})


def note_messaging(consumers: Iterable[ConsumerMeasure], streams: Iterable[StreamMeasure]) -> None:
    """Note how much waits in NATS."""
    from services.common.core.telemetry import instruments

    for consumer in consumers:
        instruments.CONSUMER_PENDING.labels(consumer.name).set(consumer.pending)
        instruments.CONSUMER_UNACKNOWLEDGED.labels(consumer.name).set(consumer.unacknowledged)
    for stream in streams:
        instruments.STREAM_BYTES.labels(stream.name).set(stream.size_bytes)
        instruments.STREAM_MESSAGES.labels(stream.name).set(stream.messages)
