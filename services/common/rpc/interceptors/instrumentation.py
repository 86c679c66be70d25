"""Instrumentation of RPCs: a span that continues the caller's trace, a duration by method and code, a sample."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import lru_cache
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from services.common.core.telemetry import metrics, reporting, tracing

# Of the statuses of gRPC those that a server is at fault for, by OpenTelemetry's conventions; the others refuse.
_FAULTS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
Context = grpc.aio.ServicerContext[Any, Any]


def observe_unary(
    run: Callable[[Any, Context], Awaitable[Any]], metadata: Mapping[str, str], *, method: str, writes: bool
) -> Callable[[Any, Context], Awaitable[Any]]:
    """`run` with a trace around it and its duration noted; `run` itself for reads that are not traced."""
    if not (writes or tracing.is_recording() or metrics.is_counting() or reporting.is_reporting()):
        return run

    async def observed(request: Any, context: Context) -> Any:
        start = time.perf_counter()
        sample = reporting.start_transaction(method) if reporting.is_reporting() else contextlib.nullcontext()

        def is_fault(_: Exception) -> bool:
            return _name_code(context) in _FAULTS

        traceparent = metadata.get("traceparent", "")
        ids = tracing.identifying(**find_ids(request))
        with ids, tracing.continue_trace(traceparent, method, is_fault=is_fault), sample:
            try:
                return await run(request, context)
            finally:
                if metrics.is_counting():
                    metrics.observe_rpc(method, _name_code(context), time.perf_counter() - start)

    return observed


def find_ids(request: Any) -> dict[str, str]:
    """Find the ids of the app and of the operation that a request is about; the owner of a container is an app."""
    if not isinstance(request, Message):
        return {}
    found = {name: str(getattr(request, field)) for field, name in _list_id_fields(request.DESCRIPTOR)}
    return {name: value for name, value in found.items() if value}


@lru_cache(maxsize=512)  # more than there are types of requests
def _list_id_fields(descriptor: Descriptor) -> tuple[tuple[str, str], ...]:
    names = {"owner": "app_id", "app_id": "app_id", "operation_id": "operation_id"}
    texts = {field.name for field in descriptor.fields if field.type == field.TYPE_STRING}
    return tuple((field, name) for field, name in names.items() if field in texts)


def observe_stream(
    run: Callable[[Any, Context], AsyncIterator[Any]], metadata: Mapping[str, str], *, method: str
) -> Callable[[Any, Context], AsyncIterator[Any]]:
    """`run` with a trace around it, where traces are recorded."""
    if not tracing.is_recording():
        return run

    async def observed(request: Any, context: Context) -> AsyncIterator[Any]:
        with tracing.continue_trace(metadata.get("traceparent", ""), method):
            async for item in run(request, context):
                yield item

    return observed


def _name_code(context: Context) -> str:
    code = context.code()
    if not code:
        return "OK"
    if isinstance(code, grpc.StatusCode):
        return code.name
    return next((status.name for status in grpc.StatusCode if status.value[0] == code), "UNKNOWN")
