"""Calls to other services: identity, deadline, retries and mutual TLS.

Each side shows a certificate of its own name, signed by one authority.

clients = Clients(signer, settings.address_of)
container = await clients.call("inventory", ContainerServiceStub, "GetContainer", request, user=None)
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from services.common.core.errors import UnavailableError
from services.common.core.telemetry.tracing import SpanKind, current_traceparent, span
from services.common.identity.keys import ServiceSigner
from services.common.identity.tokens import User
from services.common.rpc.status import parse_error
from services.registry import PEERS

_Options = Sequence[tuple[str, Any]]


@dataclass(frozen=True)
class PeerTls:
    """A process's own certificate and the authority that all of them trust; all PEM."""

    authority: bytes
    chain: bytes
    key: bytes = field(repr=False)

    def make_server_credentials(self) -> grpc.ServerCredentials:
        """Credentials of a server that refuses peers without a certificate of the authority."""
        return grpc.ssl_server_credentials(
            [(self.key, self.chain)], root_certificates=self.authority, require_client_auth=True
        )

    def make_channel_credentials(self) -> grpc.ChannelCredentials:
        """Credentials of a client that shows its own certificate."""
        return grpc.ssl_channel_credentials(self.authority, self.key, self.chain)


def read_tls(directory: Path | None, name: str) -> PeerTls | None:
    """Read `ca.crt`, `<name>.crt` and `<name>.key`; None where no directory is set.

    Raises:
        FileNotFoundError: one of them is missing.
    """
    if directory is None:
        return None
    return PeerTls(
        authority=(directory / "ca.crt").read_bytes(),
        chain=(directory / f"{name}.crt").read_bytes(),
        key=(directory / f"{name}.key").read_bytes(),
    )


def open_channel(
    address: str, service: str, *, tls: PeerTls | None, options: _Options = ()
) -> grpc.aio.Channel:
    """Open a channel to a service. With TLS the server must present that service's certificate, at any address."""
    if tls is None:
        return grpc.aio.insecure_channel(address, options=options)
    # Certificates name services, not addresses, so they stay valid when a service moves.
    named = (*options, ("grpc.ssl_target_name_override", service), ("grpc.default_authority", service))
    return grpc.aio.secure_channel(address, tls.make_channel_credentials(), options=named)


def find_peer_name(auth_context: dict[str, Any] | None) -> str:
    """Whom the certificate of a connection names: a service or the gateway; empty for anybody else."""
    names = (auth_context or {}).get("x509_subject_alternative_name", ())
    known = {name.decode(errors="replace") for name in names} & PEERS
    # A certificate with several names could act as either.
    return known.pop() if len(known) == 1 else ""


_ATTEMPTS = 3  # of a call that met no server: a restart takes less than three of them
_OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    # Shorter than the attempts of a call take together, so that one of them meets a service that is just back.
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.lb_policy_name", "round_robin"),
)


class Clients:
    """Channels to the other services, made at first use.

    Args:
        signer: signs this service's tokens.
        address_of: gRPC address of a service.
        tls: this service's certificate; None speaks plain text.
    """

    def __init__(
        self, signer: ServiceSigner, address_of: Callable[[str], str], *, tls: PeerTls | None = None
    ) -> None:
        self._tls = tls
        self._signer = signer
        self._address_of = address_of
        self._stubs: dict[tuple[str, type], Any] = {}
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def call(
        self,
        service: str,
        stub: type,
        *,
        method: str,
        request: Any,
        user: User | None = None,
        timeout: float = 10.0,
        retry: bool = True,
    ) -> Any:
        """Call a unary RPC.

        Args:
            service: the service that is called.
            stub: its generated stub class.
            method: name of the RPC.
            request: the message.
            user: on whose behalf; None for the platform itself.
            timeout: seconds per attempt.
            retry: whether a call that may have run may run again (idempotent RPCs); up to 3 attempts.

        Raises:
            DomainError: as the other service refused; UnavailableError when it does not answer.
        """
        rpc = getattr(self._stub(service, stub), method)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with span(f"{service}.{method}", kind=SpanKind.CLIENT):
                    return await rpc(request, metadata=self._metadata(service, user), timeout=timeout)
            except grpc.aio.AioRpcError as error:
                refusal = parse_error(error, service=service)
                if not retry or attempt == _ATTEMPTS or not isinstance(refusal, UnavailableError):
                    raise refusal from error
            await asyncio.sleep(random.uniform(0.5, 1.0) * 0.2 * 2**attempt)  # noqa: S311 - jitter
        raise AssertionError("unreachable")

    async def stream(
        self,
        service: str,
        stub: type,
        *,
        method: str,
        request: Any,
        user: User | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Any]:
        """Call a streaming RPC; `timeout` in seconds for the whole stream, None for no limit.

        Raises:
            DomainError: as the other service refused; UnavailableError when it does not answer.
        """
        call = getattr(self._stub(service, stub), method)(
            request, metadata=self._metadata(service, user), timeout=timeout
        )
        try:
            async for item in call:
                yield item
        except grpc.aio.AioRpcError as error:
            raise parse_error(error, service=service) from error
        finally:
            call.cancel()

    async def duplex(
        self, service: str, stub: type, *, method: str, messages: AsyncIterator[Any], user: User | None = None
    ) -> AsyncGenerator[Any, None]:
        """Call a bidirectional RPC: sends `messages` beside the answers that it yields.

        Raises:
            DomainError: as the other service refused; UnavailableError when it does not answer.
            Exception: what `messages` raised, which ends the call.
        """
        call = getattr(self._stub(service, stub), method)(metadata=self._metadata(service, user))
        failures: list[BaseException] = []

        async def send() -> None:
            try:
                async for message in messages:
                    await call.write(message)
                await call.done_writing()
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                return  # the call has ended; reading says why
            except Exception as error:  # noqa: BLE001 - raised below, to the caller
                failures.append(error)
                call.cancel()

        sending = asyncio.ensure_future(send())
        try:
            async for item in call:
                yield item
        except grpc.aio.AioRpcError as error:
            raise parse_error(error, service=service) from error
        except asyncio.CancelledError:
            if failures and not _is_being_cancelled():
                raise failures[0] from None
            raise
        finally:
            sending.cancel()
            call.cancel()

    async def close(self) -> None:
        """Close every channel."""
        for channel in self._channels.values():
            await channel.close(None)

    def _stub(self, service: str, stub: type) -> Any:
        known = self._stubs.get((service, stub))
        if known is None:
            channel = self._channels.get(service)
            if channel is None:
                channel = self._channels[service] = open_channel(
                    self._address_of(service), service, tls=self._tls, options=_OPTIONS
                )
            known = self._stubs[(service, stub)] = stub(channel)
        return known

    def _metadata(self, service: str, user: User | None) -> tuple[tuple[str, str], ...]:
        identity = ("authorization", f"Bearer {self._signer.sign(service, user=user)}")
        traceparent = current_traceparent()
        return (identity, ("traceparent", traceparent)) if traceparent else (identity,)


def _is_being_cancelled() -> bool:
    """Whether the current task was cancelled from outside; a call that is cancelled here raises the same error."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
