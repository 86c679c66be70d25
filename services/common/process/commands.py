"""The command line of a service: serve, work, migrate, check-config, rotate-keys, poison-messages."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import sqlalchemy as sa
import uvloop

from services.common import VERSION
from services.common.core.config import ConfigError, ServiceSettings, read_settings
from services.common.core.environment import explain_replaced
from services.common.core.log import configure_logging
from services.common.core.telemetry.reporting import start_reporting
from services.common.core.telemetry.tracing import start_tracing, stop_tracing
from services.common.db.database import Database, create_engine
from services.common.db.errors import REMEDY, DatabaseUnavailableError, explain
from services.common.identity.resealing import SealedColumn, reseal
from services.common.identity.sealing import Sealer
from services.common.process.poison_command import NAME, run_poison_command
from services.common.process.standby import wait_for_database


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
        return asyncio.run(run_poison_command(service, settings, parsed.arguments))
    if command == "rotate-keys":
        return asyncio.run(_rotate_keys(service, settings, sealed))
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
        return _explain_database(service, settings, explain(error), command=command)
    finally:
        stop_tracing()
    return 0


def _explain_database(service: str, settings: ServiceSettings, reason: str, *, command: str) -> int:
    """Say why the database cannot be used; a server or worker waits with that, and ends once it may start again."""
    if command == "migrate":
        sys.stderr.write(f"the database of {service} cannot be used: {reason}; {REMEDY}\n")
    else:
        with contextlib.suppress(KeyboardInterrupt):
            uvloop.run(wait_for_database(service, settings, reason, serves=command == "serve"))
    return 1


def _start_telemetry(process: str, settings: ServiceSettings) -> None:
    if settings.otlp_endpoint:
        start_tracing(settings.otlp_endpoint, service=process, version=VERSION)
    if settings.sentry_dsn:
        start_reporting(settings.sentry_dsn, service=process, version=VERSION, debug=settings.debug)


async def _rotate_keys(service: str, settings: ServiceSettings, sealed: Sequence[SealedColumn]) -> int:
    """Seal everything with SECRET_KEY: 0, or 1 where a value does not open with any key."""
    db = Database(create_engine(settings.database_url, service=service))
    try:
        sealer = Sealer(settings.secret_key, previous=settings.previous_secret_keys)
        done = await reseal(db, sealer, sealed)
    finally:
        await db.close()
    sys.stdout.write(f"{done.count} values of {service} are sealed anew\n")
    sys.stderr.write("".join(f"{place} does not open with any key\n" for place in done.broken))
    return 1 if done.broken else 0


async def _as_coroutine(awaitable: Awaitable[None]) -> None:
    await awaitable
