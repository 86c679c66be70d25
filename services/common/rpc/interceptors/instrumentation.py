"""Instrumentation of RPCs: a span that continues the caller's trace, a duration by method and code, a sample."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc

from services.common.core.telemetry import metrics, reporting, tracing

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
        with tracing.continue_trace(metadata.get("traceparent", ""), method), sample:
            try:
                return await run(request, context)
            finally:
                if metrics.is_counting():
                    metrics.observe_rpc(method, _name_code(context), time.perf_counter() - start)

    return observed


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
