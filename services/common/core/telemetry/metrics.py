"""Metrics of a process for Prometheus, served once `start_metrics` says where; until then nothing is counted."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

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


def observe_rpc(method: str, code: str, seconds: float) -> None:
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
