"""Cross-cutting concerns shared by all handlers of a server: authorization, idempotency, audit, limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from services.common.identity.tokens import CredentialsInvalidError, CredentialsMissingError
from services.common.rpc.call import Call
from services.common.rpc.interceptors.authorization import Guard, Rule
from services.common.rpc.interceptors.idempotency import IdempotencyStore
from services.common.rpc.peers import Peers
from services.common.rpc.stream_limits import Calls, Streams


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
