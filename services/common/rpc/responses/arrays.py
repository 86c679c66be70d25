"""Streams that REST shows as arrays: for REST they are one answer, which is there whole or not at all.

Of a stream the gateway has seen the beginning when its service is lost, and cannot ask another replica any more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from google.api import httpbody_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from services.common.rpc.responses.rendered import Form, Rendered, render
from services.common.rpc.stream_limits import is_endless


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
