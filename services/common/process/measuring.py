"""Gauges of every process: what they show is measured at an interval, while metrics are served."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from cryptography import x509

from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.common.core.telemetry.metrics import is_counting
from services.common.core.telemetry.states import note_certificate, note_database, note_messaging
from services.common.db.measuring import measure_database
from services.common.messaging.measuring import measure_messaging
from services.common.process.runtime import Runtime

log = get_logger()

Measure = Callable[[], Awaitable[None]]
_INTERVAL_S = 15.0  # as often as Prometheus scrapes by default: a few small queries of each process


async def keep_measuring(runtime: Runtime, measures: Sequence[Measure]) -> None:
    """Measure the process and what its service adds, for as long as metrics are served; else wait for ever."""

    async def measure_own() -> None:
        await measure_process(runtime)

    while is_counting():
        for measure in (*measures, measure_own):
            try:
                await measure()
            except DomainError as error:
                log.warning("measure_failed", error=error.message)
        await asyncio.sleep(_INTERVAL_S)
    await asyncio.Event().wait()  # background work that returns would end the process


async def measure_process(runtime: Runtime) -> None:
    """Measure what every process has: a database, a connection to NATS and, with mutual TLS, a certificate."""
    note_messaging(*await measure_messaging(runtime.bus))
    if runtime.settings.tls_dir is not None:
        _measure_certificates(runtime.settings.tls_dir, runtime.service)
    note_database(await measure_database(runtime.db))


def _measure_certificates(folder: Path, service: str) -> None:
    for name in (service, "ca"):
        # A file that is being replaced is read at the next interval; a process that cannot use it says so itself.
        with contextlib.suppress(OSError, ValueError):
            certificate = x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())
            note_certificate(name, certificate.not_valid_after_utc)
