"""The life of a server or worker process: what it is made of, how it starts, how it ends."""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import gc
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import sqlalchemy as sa
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.empty_pb2 import Empty
from grpc_health.v1 import _async as aio_health
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from nats.errors import Error as NatsError
from proximity.auth.v1 import auth_service_pb2, auth_service_pb2_grpc

from services.common.audit import OutboxAudit
from services.common.config import ConfigError, ServiceSettings, read_settings
from services.common.db import Database, create_engine
from services.common.errors import DomainError, UnauthenticatedError, UnavailableError
from services.common.health import start_health_server
from services.common.idempotency import IdempotencyStore
from services.common.log import configure_logging, get_logger
from services.common.messaging import REVOCATIONS_BUCKET, Bus
from services.common.outbox import Relay
from services.common.resealing import SealedColumn, reseal
from services.common.rpc.call import Call
from services.common.rpc.client import Clients
from services.common.rpc.guard import Guard
from services.common.rpc.peers import Peers
from services.common.rpc.server import Audit, NoAudit, Surroundings, add_service, create_server
from services.common.rpc.tls import PeerTls, read_tls
from services.common.sealing import Sealer
from services.common.tokens import (
    ApiTokens,
    Caller,
    CredentialsInvalidError,
    Keys,
    Revocations,
    ServiceSigner,
    TokenVerifier,
    User,
    read_service_keys,
)

log = get_logger()

VERSION = "2.0.0"
_DRAIN_S = 5.0
_COLLECT_AFTER = 10_000
_KEYS_REFRESH_S = 5.0
_FOLLOW_AGAIN_S = 0.5


@dataclass(frozen=True)
class Runtime:
    """What a process shares between its parts."""

    service: str
    settings: ServiceSettings
    db: Database
    bus: Bus
    sealer: Sealer
    signer: ServiceSigner
    clients: Clients
    revocations: Revocations
    guard: Guard
    tls: PeerTls | None = None


def build_runtime(
    service: str,
    settings: ServiceSettings,
    *,
    find_key: Keys | None = None,
    authenticate_api_token: ApiTokens | None = None,
) -> Runtime:
    """Make the shared parts. auth passes how it finds its own keys and tokens; the others ask auth.

    Raises:
        FileNotFoundError: a service key or a certificate is missing.
    """
    private, publics = read_service_keys(settings.service_keys, service)
    signer = ServiceSigner(service, private)
    tls = read_tls(settings.tls_dir, service)
    clients = Clients(signer, settings.address_of, tls=tls)
    bus = Bus(settings.nats_url, name=service, replicas=settings.nats_replicas)
    asking = _AskingAuth(clients)
    is_auth = find_key is not None
    revocations = Revocations(None if is_auth else lambda: bus.is_connected)
    verifier = TokenVerifier(
        service=service,
        service_keys=publics,
        find_key=find_key or asking.find_key,
        revocations=revocations,
        authenticate_api_token=authenticate_api_token or asking.authenticate_api_token,
        confirm=None if is_auth else asking.confirm,
    )
    return Runtime(
        service=service,
        settings=settings,
        db=Database(create_engine(settings.database_url, service=service)),
        bus=bus,
        sealer=Sealer(settings.secret_key, previous=settings.previous_secret_keys),
        signer=signer,
        clients=clients,
        revocations=revocations,
        guard=Guard(verifier, origins=settings.cors_origins),
        tls=tls,
    )


class _AskingAuth:
    """Keys and API tokens as auth knows them."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._asked_at = 0.0

    async def find_key(self, kid: str) -> Ed25519PublicKey | None:
        """The public key of a key id; asks auth for unknown ones, at most every 5 seconds."""
        loop = asyncio.get_running_loop()
        if kid not in self._keys and (not self._asked_at or loop.time() - self._asked_at >= _KEYS_REFRESH_S):
            jwks = await self._clients.call(
                "auth", auth_service_pb2_grpc.AuthServiceStub, "GetJwks", Empty(), timeout=3
            )
            self._asked_at = loop.time()
            for key in jwks.keys:
                self._keys[key.kid] = Ed25519PublicKey.from_public_bytes(_decode_base64url(key.x))
        return self._keys.get(kid)

    async def authenticate_api_token(self, token: str) -> Caller:
        """Whose an API token is; remembered for at most 60 seconds by the verifier's cache."""
        request = auth_service_pb2.AuthenticateApiTokenRequest(token=token)
        stub = auth_service_pb2_grpc.AuthInternalServiceStub
        try:
            answer = await self._clients.call("auth", stub, "AuthenticateApiToken", request, timeout=3)
        except UnavailableError:
            raise
        except DomainError as error:
            raise CredentialsInvalidError("the API token is not valid") from error
        return caller_of_api_token(answer)

    async def confirm(self, token: str) -> None:
        """Have auth say that an access token is valid and was not revoked.

        Raises:
            CredentialsInvalidError: it is not.
            UnavailableError: auth does not answer either; then nobody knows.
        """
        request = auth_service_pb2.VerifyTokenRequest(token=token)
        stub = auth_service_pb2_grpc.AuthServiceStub
        try:
            await self._clients.call("auth", stub, "VerifyToken", request, timeout=3)
        except UnauthenticatedError as error:
            raise CredentialsInvalidError(error.message) from error


def caller_of_api_token(answer: auth_service_pb2.AuthenticateApiTokenResponse) -> Caller:
    """The caller behind an API token; to be asked again after 60 seconds at most."""
    current = time.time()
    expires = (
        min(current + 60, answer.expires_at.ToSeconds()) if answer.HasField("expires_at") else current + 60
    )
    user = User(answer.user_id, answer.username, answer.is_staff, tuple(answer.scopes))
    return Caller(user=user, token_id=f"api-{answer.token_id}", issued_at=current, expires_at=expires)


def _decode_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def watch_revocations(bus: Bus, revocations: Revocations) -> None:
    """Follow the revocations in NATS's key-value store for ever; begins again with all of them at every connection.

    A watcher of before a reconnection may be silent for ever: its consumer can be gone with the server that had it.
    """
    connected = asyncio.Event()

    async def note_connected() -> None:
        revocations.is_loaded = False
        connected.set()

    bus.on_connect(note_connected)
    while True:
        await bus.wait_connected(timeout=60)
        connected.clear()
        following = asyncio.ensure_future(_follow_revocations(bus, revocations))
        waiting = asyncio.ensure_future(connected.wait())
        try:
            await asyncio.wait({following, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            following.cancel()
            waiting.cancel()
            await asyncio.gather(following, waiting, return_exceptions=True)
        if not connected.is_set():
            await asyncio.sleep(_FOLLOW_AGAIN_S)


async def _follow_revocations(bus: Bus, revocations: Revocations) -> None:
    try:
        bucket = await bus.key_value(REVOCATIONS_BUCKET)
        watcher = await bucket.watchall()
        try:
            async for entry in watcher:
                if entry is None:  # these were all that there are so far
                    revocations.is_loaded = True
                elif entry.value:
                    revocations.revoke(entry.key, float(entry.value))
        finally:
            with contextlib.suppress(NatsError, TimeoutError, OSError):
                await asyncio.wait_for(watcher.stop(), 1)  # type: ignore[no-untyped-call]
    except (NatsError, TimeoutError, OSError, UnavailableError, ValueError) as error:
        log.warning("revocations_interrupted", error=str(error) or type(error).__name__)


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
    store = IdempotencyStore(runtime.db, idempotency, runtime.sealer) if idempotency is not None else None
    if audit is None:
        audit = OutboxAudit(runtime.db, outbox) if outbox is not None else NoAudit()
    peers = Peers(by_certificate=runtime.tls is not None, gateways=runtime.settings.gateway_networks)
    secure = not runtime.settings.debug and "http-cookies" not in runtime.settings.allow_insecure
    surroundings = Surroundings(runtime.guard, store, audit, on_failed_admission, peers, secure)
    server = create_server()
    names = [descriptor.full_name for descriptor, _ in services]
    for descriptor, handlers in services:
        add_service(server, descriptor, handlers, surroundings)
    servicer = aio_health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    port = _listen(server, runtime)
    runtime.bus.start()
    await server.start()
    probes = await _start_probes(runtime.settings)
    for name in (*names, ""):
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    _spare_collector()
    log.info("serving", port=port)
    tasks = [
        watch_revocations(runtime.bus, runtime.revocations),
        *_relaying(runtime, outbox, inbox, relay),
        *background,
    ]
    try:
        await _run_until_signal(tasks)
    finally:
        await servicer.enter_graceful_shutdown()
        await asyncio.gather(server.stop(_DRAIN_S), *(each.stop(0) for each in probes))
        await close_runtime(runtime)


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
    runtime.bus.start()
    probes = await _start_probes(runtime.settings)
    log.info("working")
    try:
        await _run_until_signal([*_relaying(runtime, outbox, inbox, relay), *background])
    finally:
        await asyncio.gather(*(each.stop(0) for each in probes))
        await close_runtime(runtime)


async def _start_probes(settings: ServiceSettings) -> tuple[grpc.aio.Server, ...]:
    if not settings.health_listen:
        return ()
    return (await start_health_server(settings.health_listen),)


async def close_runtime(runtime: Runtime) -> None:
    """Close connections, in order."""
    await runtime.clients.close()
    await runtime.bus.close()
    await runtime.db.close()


def _relaying(
    runtime: Runtime, outbox: sa.Table | None, inbox: sa.Table | None, relay: Relay | None
) -> list[Coroutine[Any, Any, None]]:
    if relay is None and outbox is not None:
        relay = Relay(runtime.db, runtime.bus, outbox, inbox=inbox)
    return [relay.run()] if relay is not None else []


def _spare_collector() -> None:
    """Keep what was made at start, which is most of what there is, out of every later search for garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)


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


def main(
    service: str,
    settings_class: type[ServiceSettings],
    *,
    serve: Callable[[Any], Awaitable[None]],
    work: Callable[[Any], Awaitable[None]] | None = None,
    sealed: Sequence[SealedColumn] = (),
    argv: Sequence[str] | None = None,
) -> int:
    """The command line of a service: serve, work, migrate, check-config, rotate-keys. Returns the exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m services.{service}")
    commands = ["serve", *(["work"] if work else []), "migrate", "check-config", "rotate-keys"]
    parser.add_argument("command", choices=commands)
    command = parser.parse_args(argv).command
    try:
        settings = read_settings(settings_class)
    except ConfigError as error:
        for fault in error.faults:
            sys.stderr.write(f"{fault}\n")
        return 2
    if command == "check-config":
        sys.stdout.write("the configuration is valid\n")
        return 0
    configure_logging(service, debug=settings.debug)
    if command == "migrate" or settings.debug:
        from services.common.migrations import upgrade

        upgrade(settings.database_url, service)
        if command == "migrate":
            return 0
    if command == "rotate-keys":
        return asyncio.run(_rotate_keys(service, settings, sealed))
    run = serve if command == "serve" or work is None else work
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_as_coroutine(run(settings)))
    return 0


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


__all__ = [
    "VERSION",
    "Runtime",
    "build_runtime",
    "close_runtime",
    "main",
    "serve",
    "watch_revocations",
    "work",
]
