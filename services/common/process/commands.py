"""The command line of a service: serve, work, migrate, check-config, rotate-keys, poison-messages.

A process whose database cannot be used reports the reason in the log and to health checks, and waits: one that ended at
once would show a restart loop in place of the reason.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
import sqlalchemy as sa
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.common import VERSION
from services.common.core.config import ConfigError, ServiceSettings, read_settings
from services.common.core.environment import explain_replaced
from services.common.core.errors import DomainError
from services.common.core.log import configure_logging, get_logger
from services.common.core.telemetry.tracing import start_reporting, start_tracing, stop_tracing
from services.common.db.database import Database, create_engine
from services.common.db.migrations import SealedColumn, reseal
from services.common.db.probe import DatabaseProbe
from services.common.db.transactions import REMEDY, DatabaseUnavailableError, explain
from services.common.identity.keys import Sealer
from services.common.messaging.streams import PoisonMessages
from services.common.process.health import ExplainingHealthServicer, start_health_server
from services.common.rpc.client import read_tls

log = get_logger()


def main(
    service: str,
    settings_class: type[ServiceSettings],
    *,
    serve: Callable[[Any], Awaitable[None]],
    work: Callable[[Any], Awaitable[None]] | None = None,
    sealed: Sequence[SealedColumn] = (),
    argv: Sequence[str] | None = None,
) -> int:
    """The command line of a service; returns the exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{service}")
    commands = ["serve", *(["work"] if work else []), "migrate", "check-config", "rotate-keys", NAME]
    parser.add_argument("command", choices=commands)
    parser.add_argument("arguments", nargs="*", help=f"of {NAME}: list, replay or drop, and ids")
    parsed = parser.parse_args(argv)
    command = parsed.command
    if parsed.arguments and command != NAME:
        parser.error(f"{command} takes no arguments: {' '.join(parsed.arguments)}")
    os.umask(0o077)  # files of databases and sockets are this account's alone
    try:
        settings = read_settings(settings_class)
    except ConfigError as error:
        for fault in error.faults:
            sys.stderr.write(f"{fault}\n")
        return 2
    for sentence in explain_replaced(os.environ):
        sys.stderr.write(f"{sentence}\n")
    if command == "check-config":
        sys.stdout.write("the configuration is valid\n")
        return 0
    configure_logging(service, debug=settings.debug)
    if command == NAME:
        return asyncio.run(run_poison_command(service, settings, arguments=parsed.arguments))
    if command == "rotate-keys":
        return asyncio.run(_rotate_keys(service, settings, sealed=sealed))
    run = serve if command == "serve" or work is None else work
    if command != "migrate":
        _start_telemetry(service if run is serve else f"{service}-worker", settings)
    try:
        if command == "migrate" or settings.debug:
            from services.common.db.migrations import upgrade

            upgrade(settings.database_url, service)
        if command != "migrate":
            with contextlib.suppress(KeyboardInterrupt):
                uvloop.run(_as_coroutine(run(settings)))
    except (sa.exc.DBAPIError, DatabaseUnavailableError) as error:
        return _explain_database(service, settings, reason=explain(error), command=command)
    finally:
        stop_tracing()
    return 0


def _explain_database(service: str, settings: ServiceSettings, *, reason: str, command: str) -> int:
    """Say why the database cannot be used; a server or worker waits with that, and ends once it may start again."""
    if command == "migrate":
        sys.stderr.write(f"the database of {service} cannot be used: {reason}; {REMEDY}\n")
    else:
        with contextlib.suppress(KeyboardInterrupt):
            uvloop.run(wait_for_database(service, settings, reason=reason, serves=command == "serve"))
    return 1


def _start_telemetry(process: str, settings: ServiceSettings) -> None:
    if settings.otlp_endpoint:
        start_tracing(settings.otlp_endpoint, service=process, version=VERSION)
    if settings.sentry_dsn:
        start_reporting(settings.sentry_dsn, service=process, version=VERSION, debug=settings.debug)


async def _rotate_keys(service: str, settings: ServiceSettings, *, sealed: Sequence[SealedColumn]) -> int:
    """Seal everything with SECRET_KEY: 0, or 1 where a value does not open with any key."""
    db = Database(create_engine(settings.database_url, service=service))
    try:
        sealer = Sealer(settings.secret_key, previous=settings.previous_secret_keys)
        done = await reseal(db, sealer, columns=sealed)
    finally:
        await db.close()
    sys.stdout.write(f"{done.count} values of {service} are sealed anew\n")
    sys.stderr.write("".join(f"{place} does not open with any key\n" for place in done.broken))
    return 1 if done.broken else 0


async def _as_coroutine(awaitable: Awaitable[None]) -> None:
    await awaitable


NAME = "poison-messages"
_USAGE = f"usage: {NAME} [list | replay | drop] [ID...]; without an ID, replay and drop concern all of them\n"


async def run_poison_command(service: str, settings: ServiceSettings, *, arguments: Sequence[str]) -> int:
    """Run the command and return the exit status: 2 where it is wrong, 1 where the database does not answer."""
    action, *words = arguments or ["list"]
    if action not in {"list", "replay", "drop"} or not all(word.isdigit() for word in words):
        sys.stderr.write(_USAGE)
        return 2
    ids = [int(word) for word in words]
    db = Database(create_engine(settings.database_url, service=service))
    try:
        messages = PoisonMessages(db)
        if action == "list":
            await _print(messages, ids)
        elif action == "replay":
            count = await messages.request_replay(ids)
            sys.stdout.write(
                f"{count} messages of {service} are handled again within seconds, where it runs\n"
            )
        else:
            sys.stdout.write(f"{await messages.drop(ids)} messages of {service} are forgotten\n")
    except DomainError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    finally:
        await db.close()
    return 0


async def _print(messages: PoisonMessages, ids: Sequence[int]) -> None:
    found = [one for one in await messages.list_all() if not ids or one.id in ids]
    for one in found:
        sys.stdout.write(
            f"{one.id}  {one.set_aside_at:%Y-%m-%dT%H:%M:%SZ}  {one.subject}  for {one.consumer}"
            f"  {len(one.payload)} bytes  after {one.attempts} attempts: {one.error!r}\n"
        )
    if not found:
        sys.stdout.write("there are none\n")


_LOOK_S = 2.0  # between two probes of the database: a start within seconds of its repair
_SHORTEST_S = 2.0  # before the first probe, so that a start that fails at once is repeated every 2 s at most


async def wait_for_database(service: str, settings: ServiceSettings, *, reason: str, serves: bool) -> None:
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
    servers = [await _start(service, settings, servicer=servicer)] if serves else []
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
    service: str, settings: ServiceSettings, *, servicer: ExplainingHealthServicer
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
