"""Cross-cutting concerns shared by all handlers of a server: authorization, idempotency, audit, peers, limits.

Peers of connections are trusted with forwarded headers or not; calls and streams are limited per user and address.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Protocol

from services.common.core.config import LOOPBACK
from services.common.core.errors import ExhaustedError, ForbiddenError
from services.common.identity.tokens import CredentialsInvalidError, CredentialsMissingError
from services.common.rpc.call import Call, parse_network
from services.common.rpc.client import find_peer_name
from services.common.rpc.interceptors.authorization import Guard, Rule
from services.common.rpc.interceptors.idempotency import IdempotencyStore
from services.registry import GATEWAY

# Headers that decide about addresses and schemes; from anybody but a gateway they are a claim.
_FORWARDED = ("x-forwarded-", "x-envoy-", "x-real-ip")


class PeerRefusedError(ForbiddenError):
    """The peer's certificate is not that of who it says it is."""


@dataclass(frozen=True)
class Peers:
    """Identification of peers.

    Attributes:
        by_certificate: connections are mutual TLS; the certificate says who calls.
        gateways: networks of the gateways, where there are no certificates.
    """

    by_certificate: bool = False
    gateways: tuple[str, ...] = LOOPBACK

    def name(self, context: Any) -> str:
        """The name in the peer's certificate; empty without TLS."""
        return find_peer_name(context.auth_context()) if self.by_certificate else ""

    def is_gateway(self, name: str, peer: str) -> bool:
        """Whether a peer may say for whom it forwards."""
        return name == GATEWAY if self.by_certificate else _is_within(peer, self.gateways)

    def check(self, call: Call) -> None:
        """Refuse a call whose certificate does not fit its token; call it when the caller is known.

        A service speaks with its own certificate and its own token; only the gateway speaks for users.

        Raises:
            PeerRefusedError: it does not.
        """
        # A stolen token is of no use to a service that lacks the certificate of whom it names.
        wanted = call.caller.service or GATEWAY
        if self.by_certificate and call.peer_name != wanted:
            raise PeerRefusedError(
                f"the certificate of {call.peer_name or 'nobody'} may not speak for {wanted}"
            )


def drop_forwarded(metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata without what only the gateway may say: whose address a call comes from, and how."""
    return {name: value for name, value in metadata.items() if not name.startswith(_FORWARDED)}


@lru_cache(maxsize=4096)
def _networks_have(host: str, networks: tuple[str, ...]) -> bool:
    address = ipaddress.ip_address(host)
    found: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network] = map(ipaddress.ip_network, networks)
    return any(address.version == network.version and address in network for network in found)


@lru_cache(maxsize=4096)
def _is_within(peer: str, networks: tuple[str, ...]) -> bool:
    """Whether gRPC's name of a peer (`ipv4:127.0.0.1:5000`, `ipv6:%5B::1%5D:5000`, `unix:…`) is in the networks."""
    kind, _, rest = peer.partition(":")
    # The socket's folder is readable by this user alone (mode 0700).
    if kind == "unix":
        return True
    host = rest.rpartition(":")[0].removeprefix("%5B").removesuffix("%5D").strip("[]")
    try:
        return _networks_have(host, networks)
    except ValueError:
        return False


# Set by the gateway for HEAD on a stream, whose answer would not end.
HEAD_HEADER = "x-proximity-head"
MOST_CALLS = 5000  # that a server takes at a time, streams included
MOST_STREAMS = MOST_CALLS // 2  # the other half is for calls that end by themselves


class TooManyStreamsError(ExhaustedError):
    """The user holds as many streams as one may, or the process as many as it has room for."""


class TooManyCallsError(ExhaustedError):
    """The user or the address has as many calls under way as one may."""


class Streams:
    """Counts the streams of each user in this process. Services may hold as many as they need.

    Args:
        limit: how many one user may hold, and one address of callers who are not signed in.
        total: how many all of them may hold.
    """

    def __init__(self, limit: int = 100, *, total: int = MOST_STREAMS) -> None:
        self._limit = limit
        self._total = total
        self._open: Counter[str] = Counter()

    @contextmanager
    def hold(self, call: Call) -> Iterator[None]:
        """Count a stream for as long as it lasts.

        Raises:
            TooManyStreamsError: it would be one too many.
        """
        if call.caller.service:
            yield
            return
        principal, name = _name_principal(call)
        if self._open[principal] >= self._limit:
            text = f"{name} has {self._limit} streams open; close one first"
            raise TooManyStreamsError(text, retry_after=5)
        if self._open.total() >= self._total:
            text = (
                f"all {self._total} streams of the service are open; try again when others have closed theirs"
            )
            raise TooManyStreamsError(text, retry_after=5)
        with _StreamCount(self._open, principal):
            yield


class Calls:
    """Counts the unary calls under way of each user and address in this process. Services are not counted.

    A server takes a fixed number of calls at a time; without this, one client could hold all of them.

    Args:
        per_user: how many one user may have under way.
        per_address: how many one address may, of callers who are not signed in or not known yet.
    """

    def __init__(self, *, per_user: int = 200, per_address: int = 100) -> None:
        self._per_user = per_user
        self._per_address = per_address
        self._open: Counter[str] = Counter()

    def admitting(self, call: Call) -> AbstractContextManager[None]:
        """Count a call of an address while it is found out who calls.

        Raises:
            TooManyCallsError: it would be one too many.
        """
        if "x-forwarded-for" not in call.metadata:  # not by the gateway: a service
            return nullcontext()
        network = parse_network(call.address)
        return self._hold(f"address {network}", network, limit=self._per_address)

    def handling(self, call: Call) -> AbstractContextManager[None]:
        """Count a call of a user, or of an address, while it is handled.

        Raises:
            TooManyCallsError: it would be one too many.
        """
        if call.caller.service or (call.caller.user is None and "x-forwarded-for" not in call.metadata):
            return nullcontext()
        principal, name = _name_principal(call)
        return self._hold(
            principal, name, limit=self._per_address if call.caller.user is None else self._per_user
        )

    def _hold(self, principal: str, name: str, *, limit: int) -> AbstractContextManager[None]:
        if self._open[principal] >= limit:
            raise TooManyCallsError(
                f"{name} has {limit} calls under way; send more when some have ended", retry_after=1
            )
        return _StreamCount(self._open, principal)


class _StreamCount(AbstractContextManager[None]):
    """One call or stream of a principal, for as long as it lasts."""

    def __init__(self, counter: Counter[str], principal: str) -> None:
        self._counter, self._principal = counter, principal

    def __enter__(self) -> None:
        self._counter[self._principal] += 1

    def __exit__(self, *_: object) -> None:
        self._counter[self._principal] -= 1
        if not self._counter[self._principal]:
            del self._counter[self._principal]


def _name_principal(call: Call) -> tuple[str, str]:
    """Return the key of whom a call counts for, and the name that a message has for it."""
    user = call.caller.user
    if user is not None:
        return f"user {user.id}", user.username
    network = parse_network(call.address)
    return f"address {network}", network


class Audit(Protocol):
    """Records mutating calls."""

    def expect(self, call: Call, *, action: str) -> None:
        """Announce a call before its handler runs, in the same context: its entry may be written with its change."""

    async def record(self, call: Call, *, action: str, outcome: str) -> None:
        """Record one call: `action` is `apps.DeployApp`, `outcome` the name of the gRPC code.

        Raises:
            UnavailableError: the entry of an accepted call cannot be written, so the call is not accepted.
        """

    async def run(self) -> None:
        """Write what could not be written at once, for ever."""


class NoAudit:
    """Null object for tests."""

    def expect(self, call: Call, *, action: str) -> None:
        """Nothing."""

    async def record(self, call: Call, *, action: str, outcome: str) -> None:
        """Nothing."""

    async def run(self) -> None:
        """Nothing, for ever."""
        await asyncio.Event().wait()


@dataclass(frozen=True, kw_only=True)
class ServerContext:
    """Cross-cutting concerns shared by all handlers of a server.

    Attributes:
        on_failed_admission: called when a call is refused for its credentials, to set headers (auth's CSRF cookie).
    """

    guard: Guard
    idempotency: IdempotencyStore | None = None
    audit: Audit = field(default_factory=NoAudit)
    on_failed_admission: Callable[[Call], None] | None = None
    peers: Peers = field(default_factory=Peers)
    secure_cookies: bool = False
    streams: Streams = field(default_factory=Streams)
    calls: Calls = field(default_factory=Calls)

    async def admit(self, call: Call, rule: Rule) -> None:
        """Fill in the caller of a call, or refuse it: see `Guard.admit` and `Peers.check`."""
        try:
            with self.calls.admitting(call):
                await self.guard.admit(call, rule)
            self.peers.check(call)
        except (CredentialsMissingError, CredentialsInvalidError):
            if self.on_failed_admission is not None:
                self.on_failed_admission(call)
            raise
