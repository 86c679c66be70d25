"""The life of a server or worker process: how it starts, how it ends."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.core.config import ServiceSettings
from services.common.core.log import get_logger
from services.common.core.telemetry.metrics import start_metrics
from services.common.messaging.schedule import TABLE as SCHEDULES
from services.common.messaging.schedule import Periodic, SqlSchedules
from services.common.process.health import (
    CONDITION,
    STORING,
    ExplainingHealthServicer,
    start_health_server,
)
from services.common.process.runtime import Measure, Runtime, close_runtime, keep_measuring, report_condition
from services.common.rpc.call import Call
from services.common.rpc.interceptors.audit import LimitedAudit, OutboxAudit
from services.common.rpc.interceptors.deadline import drain
from services.common.rpc.interceptors.idempotency import IdempotencyStore
from services.common.rpc.reflection import add_reflection, is_public
from services.common.rpc.server import add_service, create_server
from services.common.rpc.server_context import Audit, Calls, Peers, ServerContext, Streams

log = get_logger()

_DRAIN_S = 5.0  # for calls in progress; supervisors and Kubernetes wait longer before they kill
# grpc leaves a cycle of 30 objects for each call: many short pauses cost what few long ones do.
_COLLECT_AFTER = 2_000
_PRUNE = timedelta(
    hours=1
)  # answers are valid for 24 hours and messages for 30 days: an hour more is no difference

Background = Coroutine[Any, Any, None] | Periodic


@dataclass(frozen=True, kw_only=True)
class Service:
    """Everything that a process of a service runs until SIGTERM or SIGINT.

    Attributes:
        runtime: infrastructure that its parts share; the relay of the outbox runs in every process.
        handlers: the object that answers the RPCs of each gRPC service; none in a worker.
        background: coroutines that run for ever, and periodic work.
        make_doors: makes coroutines that run for ever and pass calls of other transports to handlers of this process.
        audit: where mutating calls are recorded; None: the outbox, on the way to auth.
        measures: what it notes as metrics at an interval, while they are served.
        on_failed_admission: called when a call is refused for its credentials, to set headers.
    """

    runtime: Runtime
    handlers: Mapping[ServiceDescriptor, object] = field(default_factory=dict)
    background: Sequence[Background] = ()
    make_doors: Callable[[ServerContext], Sequence[Background]] | None = None
    audit: Audit | None = None
    on_failed_admission: Callable[[Call], None] | None = None
    measures: Sequence[Measure] = ()


async def serve(service: Service) -> None:
    """Serve until SIGTERM or SIGINT, then drain: calls in progress have 5 seconds to end."""
    runtime, tables = service.runtime, service.runtime.tables.tables
    _count(runtime)
    answers = IdempotencyStore(runtime.db, tables["idempotency"], sealer=runtime.sealer)
    audit = LimitedAudit(service.audit or OutboxAudit(runtime.db, tables["outbox"]), service=runtime.service)
    settings = runtime.settings
    context = ServerContext(
        guard=runtime.guard,
        idempotency=answers,
        audit=audit,
        on_failed_admission=service.on_failed_admission,
        peers=Peers(by_certificate=runtime.tls is not None, gateways=settings.gateway_networks),
        secure_cookies=not settings.debug and "http-cookies" not in settings.allow_insecure,
        streams=Streams(settings.streams_per_user),
        calls=Calls(per_user=settings.calls_per_user, per_address=settings.calls_per_address),
    )
    server = create_server()
    names = [descriptor.full_name for descriptor in service.handlers if is_public(descriptor)]
    for descriptor, handlers in service.handlers.items():
        add_service(server, descriptor, handlers=handlers, context=context)
    servicer = ExplainingHealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    add_reflection(server)
    port = _listen(server, runtime)
    runtime.bus.start()
    await server.start()
    probes = await _start_probes(runtime.settings)
    for name in (*names, "", STORING, CONDITION):
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    _spare_collector()
    log.info("serving", port=port)
    tasks = [
        runtime.token_sources.watch_revocations(runtime.bus, runtime.revocations),
        runtime.probe.run(),
        report_condition(runtime, servicer),
        audit.run(),
        *_list_background(service, *_prune_standard_tables(runtime, answers), *_list_doors(service, context)),
    ]
    try:
        await _run_until_signal(tasks)
    finally:
        await servicer.enter_graceful_shutdown()
        await asyncio.gather(drain(server, _DRAIN_S), *(each.stop(0) for each in probes))
        await close_runtime(runtime)


def _list_doors(service: Service, context: ServerContext) -> Sequence[Background]:
    return service.make_doors(context) if service.make_doors is not None else ()


def _prune_standard_tables(runtime: Runtime, answers: IdempotencyStore) -> tuple[Periodic, ...]:
    return (
        Periodic(name="prune_idempotency", interval=_PRUNE, function=answers.prune),
        Periodic(name="prune_inbox", interval=_PRUNE, function=runtime.relay.prune_inbox),
    )


def _list_background(service: Service, *standard: Background) -> list[Coroutine[Any, Any, None]]:
    runtime = service.runtime
    schedules = SqlSchedules(runtime.db, runtime.tables.tables[SCHEDULES])
    return [
        runtime.relay.run(),
        keep_measuring(runtime, service.measures),
        *(
            each.run(schedules) if isinstance(each, Periodic) else each
            for each in (*service.background, *standard)
        ),
    ]


def _listen(server: grpc.aio.Server, runtime: Runtime) -> int:
    if runtime.tls is None:
        return server.add_insecure_port(runtime.settings.listen)
    return server.add_secure_port(runtime.settings.listen, runtime.tls.make_server_credentials())


async def work(service: Service) -> None:
    """Run the background of a worker until SIGTERM or SIGINT."""
    runtime = service.runtime
    _count(runtime)
    runtime.bus.start()
    probes = await _start_probes(runtime.settings)
    log.info("working")
    try:
        await _run_until_signal(_list_background(service))
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
