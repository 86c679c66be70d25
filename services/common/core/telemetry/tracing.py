"""Traces by OpenTelemetry and W3C's traceparent, and reports of unexpected errors that name their trace.

One trace goes from the HTTP request to the last Proxmox call. Spans are recorded and sent by OTLP over HTTP once
`start_tracing` names a collector. Without one nothing is recorded, but who calls whom still passes the trace's id on, so
that logs and operations carry it.

Reports go to Sentry or a service with its protocol. Refusals (DomainError), cancellations and lost connections are
everyday life and are left out; the same error is sent once a minute at most. Each report names the RPC or step, the trace
and the user's id and name, and no values: neither local variables nor requests leave the process.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any

import structlog
from opentelemetry import context, trace
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.common.core.errors import DomainError, NotFoundError

__all__ = [
    "TRACEPARENT",
    "SpanKind",
    "continue_known_trace",
    "continue_trace",
    "current_trace_id",
    "current_traceparent",
    "identifying",
    "is_recording",
    "span",
    "start_tracing",
    "stop_tracing",
    "trace_id_of",
]

TRACEPARENT = "traceparent"
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_PROPAGATOR = TraceContextTextMapPropagator()
_EXPORT_TIMEOUT_S = 5  # of one batch of spans; a collector that is slower loses them
_recording = False
_ids: ContextVar[Mapping[str, str]] = ContextVar("ids", default=MappingProxyType({}))


def start_tracing(endpoint: str, *, service: str, version: str, ratio: float = 1.0) -> None:
    """Record spans from now on and send them to the collector at `endpoint` (http://host:4318).

    Args:
        endpoint: base URL of an OTLP receiver over HTTP.
        service: name of this process, `apps` or `apps-worker`.
        version: of the platform.
        ratio: share of the traces that begin here which are recorded, 0-1; others follow their parent.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

    resource = Resource.create({"service.name": f"proximity-{service}", "service.version": version})
    provider = TracerProvider(resource=resource, sampler=ParentBasedTraceIdRatio(ratio))
    exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=_EXPORT_TIMEOUT_S)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    trace.set_tracer_provider(provider)
    global _recording  # noqa: PLW0603 - one tracer provider per process, as OpenTelemetry has it
    _recording = True


def stop_tracing() -> None:
    """Send what is left, within 5 seconds."""
    provider = trace.get_tracer_provider()
    if _recording and hasattr(provider, "shutdown"):
        provider.shutdown()


def is_recording() -> bool:
    """Whether spans go anywhere."""
    return _recording


def is_no_lookup(error: Exception) -> bool:
    """Whether an error is more than the answer that something does not exist, which look-ups expect."""
    if isinstance(error, NotFoundError):
        return False
    code = getattr(error, "code", None)  # of gRPC, which this layer does not import
    return not (callable(code) and getattr(code(), "name", "") == "NOT_FOUND")


@contextmanager
def identifying(**ids: str) -> Iterator[None]:
    """Put ids (`app_id`, `operation_id`) into every log line and span within; empty ones are left out."""
    given = {name: value for name, value in ids.items() if value}
    token = _ids.set({**_ids.get(), **given})
    try:
        with structlog.contextvars.bound_contextvars(**given):
            yield
    finally:
        _ids.reset(token)


@contextmanager
def continue_trace(
    traceparent: str,
    name: str,
    *,
    kind: SpanKind = SpanKind.SERVER,
    is_fault: Callable[[Exception], bool] = is_no_lookup,
) -> Iterator[None]:
    """A span whose parent another process began; a new trace where `traceparent` is no valid one."""
    parent = _PROPAGATOR.extract(
        {TRACEPARENT: traceparent if _TRACEPARENT.fullmatch(traceparent) else _begin()}
    )
    token = context.attach(parent)
    try:
        if _recording:
            with span(name, kind=kind, is_fault=is_fault):
                yield
        else:
            yield
    finally:
        context.detach(token)


@contextmanager
def continue_known_trace(traceparent: str, name: str, *, kind: SpanKind) -> Iterator[None]:
    """As `continue_trace`, but none begins here: without a `traceparent` nothing is recorded."""
    if not traceparent:
        yield
        return
    with continue_trace(traceparent, name, kind=kind):
        yield


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, str | int] | None = None,
    is_fault: Callable[[Exception], bool] = is_no_lookup,
) -> Iterator[None]:
    """A span within the current one; an exception that `is_fault` goes for marks it as failed, and all go on."""
    if not _recording:
        yield
        return
    tracer = trace.get_tracer("proximity")
    known = {**_ids.get(), **(attributes or {})}
    with tracer.start_as_current_span(
        name, kind=kind, attributes=known, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield
        except Exception as error:
            if is_fault(error):
                current.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def current_traceparent() -> str:
    """Return the traceparent of the current span; empty outside of any trace."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get(TRACEPARENT, "")


def current_trace_id() -> str:
    """The current trace's id, 32 hexadecimal digits; empty outside of any trace."""
    return trace_id_of(current_traceparent())


def trace_id_of(traceparent: str) -> str:
    """The trace id in a traceparent; empty where it is none."""
    return traceparent[3:35] if _TRACEPARENT.fullmatch(traceparent) else ""


def _begin() -> str:
    """The name of a new trace; a recording provider makes its own."""
    return "" if _recording else f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


_NOISE = (DomainError, asyncio.CancelledError, ConnectionError, TimeoutError)
_AGAIN_S = 60.0  # between two reports of the same error
_SAMPLED = {True: 1.0, False: 0.1}
_reporting = False
_last: dict[str, float] = {}


def start_reporting(dsn: str, *, service: str, version: str, debug: bool) -> None:
    """Report from now on to `dsn`. One transaction in ten is sampled, in development each.

    Raises:
        sentry_sdk.utils.BadDsn: it is no DSN.
    """
    import sentry_sdk

    sentry_sdk.init(
        dsn=dsn,
        release=f"proximity@{version}",
        environment="development" if debug else "production",
        server_name=service,
        default_integrations=False,
        traces_sample_rate=_SAMPLED[debug],
        include_local_variables=False,
        send_default_pii=False,
        max_breadcrumbs=0,
        shutdown_timeout=2,
    )
    global _reporting  # noqa: PLW0603 - one client per process, as Sentry has it
    _reporting = True


def is_reporting() -> bool:
    """Whether errors go anywhere."""
    return _reporting


def report_error(
    error: BaseException, *, where: str, user: tuple[int, str] | None = None, **tags: str
) -> None:
    """Report an unexpected error.

    Args:
        error: what was raised.
        where: the RPC or the step.
        user: id and name of whose request it was.
        **tags: what finds it again, such as operation_id.
    """
    if not _reporting or isinstance(error, _NOISE) or _is_repeated(error, where):
        return
    import sentry_sdk

    with sentry_sdk.new_scope() as scope:
        scope.set_transaction_name(where)
        if user is not None:
            scope.set_user({"id": str(user[0]), "username": user[1]})
        for name, value in {"trace_id": current_trace_id(), **tags}.items():
            scope.set_tag(name, value)
        scope.capture_exception(error)


def start_transaction(name: str) -> Any:
    """A context manager that measures an RPC, when it is sampled."""
    import sentry_sdk

    return sentry_sdk.start_transaction(op="rpc", name=name)


def _is_repeated(error: BaseException, where: str) -> bool:
    key = f"{where} {type(error).__name__} {error}"
    current = time.monotonic()
    if current - _last.get(key, -_AGAIN_S) < _AGAIN_S:
        return True
    if len(_last) > 1000:
        _last.clear()
    _last[key] = current
    return False
