"""Whether the NATS of somebody else is there, before anything waits for it in vain."""

from __future__ import annotations

import asyncio
import os
import time
from urllib.parse import urlsplit

import nats
from nats.errors import Error as NatsError
from nats.js.errors import ServiceUnavailableError

from services.common.messaging.streams import find_inbox_prefix

_PATIENCE_S = 4.0  # a server that is just starting
_CONNECT_S = 2.0


async def find_nats_fault(url: str, *, patience: float = _PATIENCE_S) -> str:
    """Why NATS cannot be used, by host and port and never with its password; empty when it can.

    Args:
        url: one server or several, separated by commas; one that answers is enough.
        patience: seconds for which it is tried again.
    """
    deadline = time.monotonic() + patience
    while True:
        faults = await asyncio.gather(*(_find_fault(server.strip()) for server in url.split(",")))
        if not all(faults):
            return ""
        if time.monotonic() > deadline:
            return f"NATS_URL: {'; '.join(faults)}"
        await asyncio.sleep(0.3)


async def _find_fault(server: str) -> str:
    try:
        place = urlsplit(server if "//" in server else f"nats://{server}")
        host, port = place.hostname or "", place.port or 4222
    except ValueError as error:
        return str(error)
    try:
        await asyncio.wait_for(_reach(host, port), _CONNECT_S)
    except OSError as error:  # a TimeoutError is one
        return f"{host}:{port} cannot be reached: {_name_reason(error)}"
    try:
        await asyncio.wait_for(_use_jetstream(server), _CONNECT_S)
    except ServiceUnavailableError:
        return f"{host}:{port} runs without JetStream (nats-server -js)"
    except (NatsError, OSError) as error:
        return f"{host}:{port} does not answer as NATS: {str(error).removeprefix('nats: ') or 'no answer'}"
    return ""


def _name_reason(error: OSError) -> str:
    known = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    return known or "no answer"


async def _reach(host: str, port: int) -> None:
    _, writer = await asyncio.open_connection(host, port)
    writer.close()


async def _use_jetstream(server: str) -> None:
    """Connect as a service does; a client of NATS raises what went wrong and says it to `error_cb` besides."""
    prefix = find_inbox_prefix([server], "proximity")
    client = await nats.connect(
        server, connect_timeout=2, allow_reconnect=False, error_cb=_ignore, inbox_prefix=prefix
    )
    try:
        await client.jetstream(timeout=_CONNECT_S).account_info()
    finally:
        await client.close()


async def _ignore(_error: Exception) -> None:
    """It is raised as well."""
