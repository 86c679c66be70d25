"""Calls between services without sockets: what is sent is copied, and refusals arrive as they do over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc_status import rpc_status

from services.common.core.errors import DomainError, ServiceUnreachableError
from services.common.identity.tokens import Caller, User
from services.common.rpc.call import Call
from services.common.rpc.client import Clients
from services.common.rpc.handlers import snake_case
from services.common.rpc.status import parse_error, render_status


class LocalClients(Clients):
    """Handlers of services in this process. `down` names services that do not answer."""

    def __init__(self) -> None:
        self.handlers: dict[str, list[object]] = {}
        self.down: set[str] = set()

    async def call(
        self,
        service: str,
        stub: type,
        method: str,
        request: Any,
        *,
        user: User | None = None,
        timeout: float = 10.0,
        retry: bool = True,
    ) -> Any:
        """See `Clients.call`."""
        handler = self._find(service, method)
        try:
            return await handler(_copy(request), _call(user))
        except DomainError as error:
            raise cross_wire(error) from error

    async def stream(
        self,
        service: str,
        stub: type,
        method: str,
        request: Any,
        *,
        user: User | None = None,
        timeout: float | None = None,
    ) -> AsyncIterator[Any]:
        """See `Clients.stream`."""
        handler = self._find(service, method)
        try:
            async for item in handler(_copy(request), _call(user)):
                yield _copy(item)
        except DomainError as error:
            raise cross_wire(error) from error

    async def close(self) -> None:
        """Nothing is open."""

    def _find(self, service: str, method: str) -> Any:
        if service in self.down:
            raise ServiceUnreachableError(f"{service} does not answer")
        name = snake_case(method)
        return next(getattr(one, name) for one in self.handlers[service] if hasattr(one, name))


def cross_wire(error: DomainError) -> DomainError:
    """The error as another service sees it."""
    rich = rpc_status.to_status(render_status(error))
    trailing = grpc.aio.Metadata(*rich.trailing_metadata)
    return parse_error(
        grpc.aio.AioRpcError(rich.code, grpc.aio.Metadata(), trailing, rich.details, None), service="other"
    )


def _copy(message: Any) -> Any:
    return type(message).FromString(message.SerializeToString())


def _call(user: User | None) -> Call:
    return Call("/test", {}, caller=Caller(user=user))
