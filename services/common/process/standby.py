"""Standby of a process whose database cannot be used: it reports the reason in the log and to health checks, and waits.

A process that ended at once would show a restart loop in place of the reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common.core.config import ServiceSettings
from services.common.core.log import get_logger
from services.common.db.database import Database, create_engine
from services.common.db.errors import REMEDY
from services.common.db.probe import DatabaseProbe
from services.common.process.health import ExplainingHealthServicer, start_health_server
from services.common.rpc.tls import read_tls

log = get_logger()

_LOOK_S = 2.0  # between two probes of the database: a start within seconds of its repair
_SHORTEST_S = 2.0  # before the first probe, so that a start that fails at once is repeated every 2 s at most


async def wait_for_database(service: str, settings: ServiceSettings, reason: str, *, serves: bool) -> None:
    """Answer health checks with the reason until the database can be used, or SIGTERM or SIGINT comes.

    Args:
        service: whose database it is.
        settings: where health is answered.
        reason: why the start failed, in words.
        serves: whether this process is the one that others ask, and not a worker.
    """
    log.error("database_unusable", service=service, reason=reason, remedy=REMEDY)
    ended = _listen_for_signals()
    db = Database(create_engine(settings.database_url, service=service))
    servicer = ExplainingHealthServicer()
    await servicer.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
    await servicer.explain(reason)
    servers = [await _start(service, settings, servicer)] if serves else []
    if settings.health_listen:
        servers.append(await start_health_server(settings.health_listen, is_serving=False))
    try:
        probe, wait = DatabaseProbe(db), _SHORTEST_S
        while not await _has_ended(ended, wait):
            wait = _LOOK_S
            if not (fault := await probe.look()):
                log.info("database_usable_again", service=service)
                return
            await servicer.explain(fault)
    finally:
        await asyncio.gather(*(server.stop(0) for server in servers))
        await db.close()


async def _start(
    service: str, settings: ServiceSettings, servicer: ExplainingHealthServicer
) -> grpc.aio.Server:
    server = grpc.aio.server(maximum_concurrent_rpcs=16)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    tls = read_tls(settings.tls_dir, service)
    if tls is None:
        server.add_insecure_port(settings.listen)
    else:
        server.add_secure_port(settings.listen, tls.make_server_credentials())
    await server.start()
    return server


def _listen_for_signals() -> asyncio.Event:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    return ended


async def _has_ended(ended: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await ended.wait()
    return ended.is_set()
