"""Infrastructure that the parts of a process share: settings, database, NATS, tokens, clients.

While the process runs, its condition is reported to health checks and its measures to Prometheus.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography import x509
from grpc_health.v1 import health_pb2

from services.common.core.config import ServiceSettings
from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.common.core.telemetry.metrics import (
    is_counting,
    note_certificate,
    note_database,
    note_messaging,
)
from services.common.db.database import Database, create_engine
from services.common.db.probe import FULL, DatabaseProbe, measure_database
from services.common.identity.keys import Sealer, ServiceSigner, read_service_keys
from services.common.identity.tokens import ApiTokens, Confirm, Keys, Revocations, TokenVerifier
from services.common.messaging.bus import Bus
from services.common.messaging.consumer import measure_messaging
from services.common.messaging.outbox import Relay
from services.common.messaging.streams import PoisonMessages
from services.common.process.health import STORING, ExplainingHealthServicer
from services.common.rpc.client import Clients, PeerTls, read_tls
from services.common.rpc.interceptors.authorization import Guard

log = get_logger()

_INTERVAL_S = 15.0  # as often as Prometheus scrapes by default: a few small queries of each process
_LOOK_S = 1.0  # how late a fault may be in the health of the service
_COUNT_EVERY = 5  # checks between two counts of poison messages, which cost a query

Measure = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class TokenSources:
    """Sources of the facts by which a process verifies tokens: auth, and in auth its own tables.

    Attributes:
        find_key: the public key of a key id.
        authenticate_api_token: the caller behind an API token.
        watch_revocations: follows the revocations that NATS has, for ever.
        confirm: has auth say that a token is valid while revocations are unknown; None in auth, which must neither call
            itself nor depend on NATS for revocations.
    """

    find_key: Keys
    authenticate_api_token: ApiTokens
    watch_revocations: Callable[[Bus, Revocations], Coroutine[Any, Any, None]]
    confirm: Confirm | None = None


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Infrastructure that the parts of a process share.

    Attributes:
        tables: of the service, among them the standard ones: outbox, inbox, idempotency, schedules.
        relay: publishes the outbox; stores wake it after a commit that added messages.
    """

    service: str
    settings: ServiceSettings
    tables: sa.MetaData
    db: Database
    bus: Bus
    relay: Relay
    sealer: Sealer
    signer: ServiceSigner
    clients: Clients
    revocations: Revocations
    token_sources: TokenSources
    guard: Guard
    probe: DatabaseProbe
    tls: PeerTls | None = None


def build_runtime(
    service: str,
    settings: ServiceSettings,
    *,
    tables: sa.MetaData,
    verify_tokens_by: Callable[[Clients], TokenSources],
) -> Runtime:
    """Construct the shared parts; nothing is connected yet. Call it within an event loop.

    Args:
        service: its name in the registry.
        settings: its configuration.
        tables: its tables, among them the standard ones.
        verify_tokens_by: makes the sources, from the clients of other services.

    Raises:
        FileNotFoundError: a service key or a certificate is missing.
    """
    private, publics = read_service_keys(settings.service_keys, service)
    signer = ServiceSigner(service, private)
    tls = read_tls(settings.tls_dir, service)
    clients = Clients(signer, settings.address_of, tls=tls)
    bus = Bus(settings.nats_url, name=service, replicas=settings.nats_replicas)
    db = Database(create_engine(settings.database_url, service=service))
    bus.poison = PoisonMessages(db)
    sources = verify_tokens_by(clients)
    revocations = Revocations((lambda: bus.is_connected) if sources.confirm is not None else None)
    verifier = TokenVerifier(
        service=service,
        service_keys=publics,
        find_key=sources.find_key,
        revocations=revocations,
        authenticate_api_token=sources.authenticate_api_token,
        confirm=sources.confirm,
    )
    return Runtime(
        service=service,
        settings=settings,
        tables=tables,
        db=db,
        probe=DatabaseProbe(db),
        bus=bus,
        relay=Relay(db, bus, outbox=tables.tables["outbox"], inbox=tables.tables["inbox"]),
        sealer=Sealer(settings.secret_key, previous=settings.previous_secret_keys),
        signer=signer,
        clients=clients,
        revocations=revocations,
        token_sources=sources,
        guard=Guard(verifier, origins=settings.cors_origins),
        tls=tls,
    )


async def close_runtime(runtime: Runtime) -> None:
    """Close connections, in order."""
    # The database last: a call or message that is ending may still write.
    await runtime.clients.close()
    await runtime.bus.close()
    await runtime.db.close()


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


async def report_condition(runtime: Runtime, servicer: ExplainingHealthServicer) -> None:
    """Report the condition of the service under CONDITION and STORING, for ever.

    STORING is about writes alone; the release before asks for it.
    """
    serving, poison = health_pb2.HealthCheckResponse, ""
    look = 0
    while True:
        if look % _COUNT_EVERY == 0:
            poison = await _count_poison(runtime)
        look += 1
        storing = list_storing_faults(runtime)
        await servicer.explain("; ".join([*storing, *([poison] if poison else [])]))
        await servicer.set(STORING, serving.NOT_SERVING if storing else serving.SERVING)
        await asyncio.sleep(_LOOK_S)


def list_storing_faults(runtime: Runtime) -> list[str]:
    """List the faults that keep writes from being stored and published."""
    faults = [runtime.probe.fault] if runtime.probe.fault else []
    if runtime.db.is_full and FULL not in faults:
        faults.append(FULL)
    if runtime.bus.is_refusing:
        faults.append("NATS stores no messages: its disk is full, or a stream is missing")
    return faults


async def _count_poison(runtime: Runtime) -> str:
    if runtime.bus.poison is None:
        return ""
    try:
        count = await runtime.bus.poison.count()
    except DomainError:
        return ""  # the probe reports the reason
    if not count:
        return ""
    name = f"python -m services.{runtime.service} poison-messages"
    return f"{count} messages are set aside because no delivery could process them ({name})"
