"""Metrics of a process for Prometheus, served once `start_metrics` says where; until then nothing is counted.

Gauges that a process measures at intervals are noted as values: `DatabaseMeasure`, `BackupMeasure` and so on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # most processes of a small site serve no metrics and never load the library
    from prometheus_client import Gauge

_serving = False
_NAMES_IN_PATHS = re.compile(
    r"(?<=/)(?:(?<=nodes/)[^/]+|(?<=lxc/)\d+|(?<=storage/)[^/]+|(?<=tasks/)[^/]+|(?<=snapshot/)[^/]+"
    r"|(?<=content/).+|UPID:[^/]+)"
)


def start_metrics(
    listen: str, *, connections_in_use: Callable[[], int], is_connected: Callable[[], bool]
) -> None:
    """Serve /metrics on `listen` (host:port) and count from now on.

    Args:
        listen: address of the HTTP server.
        connections_in_use: of the database's pool; called at each scrape.
        is_connected: whether NATS is connected; called at each scrape.

    Raises:
        OSError: the address cannot be bound.
    """
    from prometheus_client import start_http_server

    from services.common.core.telemetry import instruments

    instruments.POOL.set_function(connections_in_use)
    instruments.NATS.set_function(lambda: 1.0 if is_connected() else 0.0)
    host, _, port = listen.rpartition(":")
    start_http_server(int(port), addr=host.strip("[]"))
    global _serving  # noqa: PLW0603 - one registry per process, as prometheus_client has it
    _serving = True


def is_counting() -> bool:
    """Whether metrics are exported."""
    return _serving


def observe_rpc(method: str, code: str, *, seconds: float) -> None:
    """Note an RPC that was answered."""
    from services.common.core.telemetry import instruments

    instruments.RPC_SECONDS.labels(method, code).observe(seconds)


@contextmanager
def timing_step(kind: str, step: str) -> Iterator[None]:
    """Note one try of a step; the outcome is `done` or the name of what it raised."""
    if not _serving:
        yield
        return
    from services.common.core.telemetry import instruments

    with _timing(lambda outcome, s: instruments.STEP_SECONDS.labels(kind, step, outcome).observe(s)):
        yield


@contextmanager
def timing_proxmox(method: str, path: str) -> Iterator[None]:
    """Note a call to Proxmox; names of nodes, storages and tasks and ids in the path become {}."""
    if not _serving:
        yield
        return
    from services.common.core.telemetry import instruments

    template = template_of(path)
    with _timing(lambda outcome, s: instruments.PROXMOX_SECONDS.labels(method, template, outcome).observe(s)):
        yield


def template_of(path: str) -> str:
    """/nodes/pve1/lxc/101/config -> /nodes/{}/lxc/{}/config."""
    return _NAMES_IN_PATHS.sub("{}", path)


def count_ended(kind: str, status: str) -> None:
    """Note the end of an operation."""
    if _serving:
        from services.common.core.telemetry import instruments

        instruments.OPERATIONS_ENDED.labels(kind, status).inc()


def count_sign_in(outcome: str) -> None:
    """Note a check of a password: succeeded, failed, or limited after too many failures."""
    if _serving:
        from services.common.core.telemetry import instruments

        instruments.SIGN_INS.labels(outcome).inc()


def note_queue(by_status: Mapping[str, tuple[int, float]]) -> None:
    """Note by status how many operations have not ended, and how many seconds old the oldest is."""
    from services.common.core.telemetry import instruments

    for status in ("queued", "running", "waiting", "undoing", "dead"):
        count, age = by_status.get(status, (0, 0.0))
        instruments.OPERATIONS.labels(status).set(count)
        instruments.OPERATIONS_AGE.labels(status).set(age)


def note_outbox(messages: int) -> None:
    """Note how many messages NATS has not taken yet."""
    from services.common.core.telemetry import instruments

    instruments.OUTBOX.set(messages)


def note_poison(messages: int) -> None:
    """Note how many messages are set aside."""
    from services.common.core.telemetry import instruments

    instruments.POISON.set(messages)


@contextmanager
def _timing(note: Callable[[str, float], None]) -> Iterator[None]:
    start, outcome = time.perf_counter(), "done"
    try:
        yield
    except BaseException as error:
        outcome = type(error).__name__
        raise
    finally:
        note(outcome, time.perf_counter() - start)


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
        broken: completed backups whose archive is broken.
        by_test: completed backups by the status of their restore test.
        tests_last_failed: apps of whose tested backups the newest failed its test.
    """

    by_status: Mapping[str, int]
    last_failed: int
    overdue: int
    by_test: Mapping[str, int]
    tests_last_failed: int
    broken: int = 0


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


def note_host_certificates(expiries: Mapping[str, datetime]) -> None:
    """Note when the certificates of hosts expire, by name; those that were removed or switched off disappear."""
    from services.common.core.telemetry import instruments

    _replace(
        instruments.HOST_CERTIFICATE_EXPIRY,
        {(name,): moment.timestamp() for name, moment in expiries.items()},
    )


def note_backups(measure: BackupMeasure) -> None:
    """Note how many backups there are, and how many are missing."""
    from services.common.core.telemetry import instruments

    counts = {"completed": 0, "failed": 0, "missing": 0, **measure.by_status}
    _replace(instruments.BACKUPS, {(status,): count for status, count in counts.items()})
    instruments.BACKUPS_LAST_FAILED.set(measure.last_failed)
    instruments.BACKUPS_OVERDUE.set(measure.overdue)
    instruments.BACKUPS_BROKEN.set(measure.broken)
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
