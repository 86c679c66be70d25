"""Streams that REST shows as arrays: for REST they are one answer, which is there whole or not at all.

Of a stream the gateway has seen the beginning when its service is lost, and cannot ask another replica any more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc
from google.api import httpbody_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from services.common.rpc.rendered import Form, Rendered, choose_form, render
from services.common.rpc.streams import is_endless


def is_array(method: MethodDescriptor) -> bool:
    """Whether REST shows the stream of an RPC as an array."""
    return bool(method.server_streaming and not is_endless(method))


def gather(
    handler: Callable[[Any, Any], AsyncIterator[Message | Rendered[Any]]],
) -> Callable[[Any, Any], Awaitable[Rendered[Any]]]:
    """A handler of the whole array, printed, from one of its stream."""

    async def gathered(request: Any, call: Any) -> Rendered[Any]:
        items = [_print(item) async for item in handler(request, call)]
        return Rendered(httpbody_pb2.HttpBody, b"[%b]" % b",".join(items))

    return gathered


def _print(item: Message | Rendered[Any]) -> bytes:
    return item.data if isinstance(item, Rendered) else render(item, Form.JSON)


class ArrayHandlers(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # generic for its stubs alone
    """The handlers of arrays by path, for calls that ask for JSON; others are left to the handlers after it."""

    def __init__(self, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]) -> None:
        self._handlers = handlers

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler of a call, or None."""
        found = self._handlers.get(details.method)
        if found is None:
            return None
        sent: Any = details.invocation_metadata or ()
        return found if choose_form(dict(sent)) is Form.JSON else None
