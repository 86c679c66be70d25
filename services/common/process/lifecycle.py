"""The life of a server or worker process: how it starts, how it ends."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import grpc
import sqlalchemy as sa
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.common.core.config import ServiceSettings
from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.common.core.telemetry.metrics import start_metrics
from services.common.messaging.outbox import Relay
from services.common.messaging.revocation_feed import watch_revocations
from services.common.process.condition import tell_condition
from services.common.process.health import (
    CONDITION,
    STORING,
    ExplainingHealthServicer,
    start_health_server,
)
from services.common.process.runtime import Runtime, close_runtime
from services.common.rpc.call import Call
from services.common.rpc.interceptors.audit import OutboxAudit
from services.common.rpc.interceptors.audit_limit import LimitedAudit
from services.common.rpc.interceptors.idempotency import IdempotencyStore
from services.common.rpc.peers import Peers
from services.common.rpc.server import add_service, create_server
from services.common.rpc.server_context import Audit, NoAudit, ServerContext
from services.common.rpc.shutdown import drain
from services.common.rpc.stream_limits import Calls, Streams

log = get_logger()

_DRAIN_S = 5.0
# grpc leaves a cycle of 30 objects for each call: many short pauses cost what few long ones do.
_COLLECT_AFTER = 2_000
_FORGET_S = 3600.0


async def serve(
    runtime: Runtime,
    *,
    services: Sequence[tuple[ServiceDescriptor, object]],
    outbox: sa.Table | None = None,
    inbox: sa.Table | None = None,
    idempotency: sa.Table | None = None,
    relay: Relay | None = None,
    audit: Audit | None = None,
    background: Sequence[Coroutine[Any, Any, None]] = (),
    on_failed_admission: Callable[[Call], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain.

    `relay` is the service's own when it wakes it after commits; else one is made for `outbox`. The coroutines of
    `background` run beside the server for ever.
    """
    _count(runtime)
    store = IdempotencyStore(runtime.db, idempotency, runtime.sealer) if idempotency is not None else None
    if audit is None:
        audit = OutboxAudit(runtime.db, outbox) if outbox is not None else NoAudit()
    audit = LimitedAudit(audit, service=runtime.service)
    peers = Peers(by_certificate=runtime.tls is not None, gateways=runtime.settings.gateway_networks)
    secure = not runtime.settings.debug and "http-cookies" not in runtime.settings.allow_insecure
    streams = Streams(runtime.settings.streams_per_user)
    calls = Calls(per_user=runtime.settings.calls_per_user, per_address=runtime.settings.calls_per_address)
    surroundings = ServerContext(
        runtime.guard, store, audit, on_failed_admission, peers, secure, streams, calls
    )
    server = create_server()
    names = [descriptor.full_name for descriptor, _ in services]
    for descriptor, handlers in services:
        add_service(server, descriptor, handlers, surroundings)
    servicer = ExplainingHealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    port = _listen(server, runtime)
    runtime.bus.start()
    await server.start()
    probes = await _start_probes(runtime.settings)
    for name in (*names, "", STORING, CONDITION):
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    _spare_collector()
    log.info("serving", port=port)
    relay = _choose_relay(runtime, outbox, inbox, relay)
    tasks = [
        watch_revocations(runtime.bus, runtime.revocations),
        runtime.probe.run(),
        tell_condition(runtime, servicer),
        *([relay.run()] if relay is not None else []),
        _forget_old(store, relay),
        audit.run(),
        *background,
    ]
    try:
        await _run_until_signal(tasks)
    finally:
        await servicer.enter_graceful_shutdown()
        await asyncio.gather(drain(server, _DRAIN_S), *(each.stop(0) for each in probes))
        await close_runtime(runtime)


async def _forget_old(answers: IdempotencyStore | None, relay: Relay | None) -> None:
    """Forget kept answers and received messages when their time is over: every hour, for ever."""
    while True:
        try:
            if answers is not None:
                await answers.prune()
            if relay is not None:
                await relay.prune_inbox()
        except DomainError as error:
            log.warning("prune_postponed", error=error.message)
        await asyncio.sleep(_FORGET_S)


def _listen(server: grpc.aio.Server, runtime: Runtime) -> int:
    if runtime.tls is None:
        return server.add_insecure_port(runtime.settings.listen)
    return server.add_secure_port(runtime.settings.listen, runtime.tls.make_server_credentials())


async def work(
    runtime: Runtime,
    *,
    background: Sequence[Coroutine[Any, Any, None]],
    outbox: sa.Table | None = None,
    inbox: sa.Table | None = None,
    relay: Relay | None = None,
) -> None:
    """Run a worker's coroutines until SIGTERM or SIGINT."""
    _count(runtime)
    runtime.bus.start()
    probes = await _start_probes(runtime.settings)
    log.info("working")
    relay = _choose_relay(runtime, outbox, inbox, relay)
    try:
        await _run_until_signal([*([relay.run()] if relay is not None else []), *background])
    finally:
        await asyncio.gather(*(each.stop(0) for each in probes))
        await close_runtime(runtime)


def _count(runtime: Runtime) -> None:
    if runtime.settings.metrics_listen:
        start_metrics(
            runtime.settings.metrics_listen,
            connections_in_use=runtime.db.count_in_use,
            is_connected=lambda: runtime.bus.is_connected,
        )


async def _start_probes(settings: ServiceSettings) -> tuple[grpc.aio.Server, ...]:
    if not settings.health_listen:
        return ()
    return (await start_health_server(settings.health_listen),)


def _choose_relay(
    runtime: Runtime, outbox: sa.Table | None, inbox: sa.Table | None, relay: Relay | None
) -> Relay | None:
    if relay is None and outbox is not None:
        return Relay(runtime.db, runtime.bus, outbox, inbox=inbox)
    return relay


def _spare_collector() -> None:
    """Keep what was made at start, which is most of what there is, out of every later search for garbage."""
    gc.collect()
    gc.freeze()
    young, middle, old = gc.get_threshold()  # who set more than we would, or switched it off (0), knows why
    if young:
        gc.set_threshold(max(young, _COLLECT_AFTER), max(middle, 20), max(old, 20))


async def _run_until_signal(coroutines: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Run all until a signal comes. One that fails ends the process: its supervisor starts it anew."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    waiter = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if task is not waiter:
                task.result()
    finally:
        for task in (*tasks, waiter):
            task.cancel()
        await asyncio.gather(*tasks, waiter, return_exceptions=True)
