"""Domain errors to google.rpc.Status and back; traces and metrics of RPCs, which their statuses decide about."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from services.common.core import errors
from services.common.core.telemetry import metrics, tracing

DOMAIN = "proximity"
# A status travels in headers, and gRPC gives up on more than 8 KiB of them: message and details take less together,
# also where each byte of the message is written as three and the details as base64.
_MESSAGE_BYTES = 1000
_VIOLATIONS_BYTES = 2000  # as above

_CODES: tuple[tuple[type[errors.DomainError], int], ...] = (
    (errors.InvalidError, code_pb2.INVALID_ARGUMENT),
    (errors.PreconditionError, code_pb2.FAILED_PRECONDITION),
    (errors.UnauthenticatedError, code_pb2.UNAUTHENTICATED),
    (errors.ForbiddenError, code_pb2.PERMISSION_DENIED),
    (errors.NotFoundError, code_pb2.NOT_FOUND),
    (errors.DuplicateError, code_pb2.ALREADY_EXISTS),
    (errors.BusyError, code_pb2.ABORTED),
    (errors.ExhaustedError, code_pb2.RESOURCE_EXHAUSTED),
    (errors.DeadlineError, code_pb2.DEADLINE_EXCEEDED),  # before its base, which has another code
    (errors.UnavailableError, code_pb2.UNAVAILABLE),
)
_KINDS = {code: kind for kind, code in _CODES}

_UNREACHED = {
    code_pb2.UNAVAILABLE: "does not answer",
    code_pb2.CANCELLED: "does not answer",
    code_pb2.UNKNOWN: "broke off",
    code_pb2.INTERNAL: "broke off",
    code_pb2.DEADLINE_EXCEEDED: "took too long",
    # A replica of the release before, during a rollout: the call is made again until it is replaced.
    code_pb2.UNIMPLEMENTED: "is of an earlier release that does not know this call",
}


class InternalError(errors.DomainError):
    """Another service failed in a way it does not explain."""


def code_of(error: errors.DomainError) -> int:
    """The google.rpc code of an error."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return int(code)
    return int(code_pb2.INTERNAL)


def render_status(error: errors.DomainError) -> status_pb2.Status:
    """The google.rpc.Status of an error, with ErrorInfo, BadRequest and RetryInfo as they apply.

    Of many violations it names the first.
    """
    details: list[any_pb2.Any] = []

    def add(
        message: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo,
    ) -> None:
        packed = any_pb2.Any()
        packed.Pack(message)
        details.append(packed)

    add(error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata))
    if error.violations:
        add(_render_violations(error.violations))
    if error.retry_after is not None:
        seconds = int(error.retry_after)
        nanos = int((error.retry_after - seconds) * 1e9)
        add(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=seconds, nanos=nanos)))
    return status_pb2.Status(
        code=code_of(error), message=_shorten(error.message, _MESSAGE_BYTES), details=details
    )


def _render_violations(violations: Sequence[errors.Violation]) -> error_details_pb2.BadRequest:
    bad = error_details_pb2.BadRequest()
    for violation in violations:
        bad.field_violations.add(
            field=_shorten(violation.field, 300), description=_shorten(violation.description, 600)
        )
        if bad.ByteSize() > _VIOLATIONS_BYTES:
            del bad.field_violations[-1]
            break
    return bad


def _shorten(text: str, limit: int) -> str:
    """The beginning of a text, of so many bytes at most."""
    data = text.encode()
    return text if len(data) <= limit else f"{data[: limit - 3].decode(errors='ignore')}…"


def parse_error(error: grpc.aio.AioRpcError, *, service: str) -> errors.DomainError:
    """The domain error that another service answered; keeps reason, violations and retry delay.

    A message of gRPC about a connection names addresses: clients get a sentence of ours instead.
    """
    code = error.code().value[0]
    kind = _KINDS.get(code, InternalError)
    details = error.details() or error.code().name
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    if status is None and code in _UNREACHED:
        kind = errors.DeadlineError if code == code_pb2.DEADLINE_EXCEEDED else errors.ServiceUnreachableError
        details = f"{service} {_UNREACHED[code]}"
    result = kind(details)
    for packed in status.details if status is not None else ():
        _read_detail(result, packed)
    return result


def _read_detail(result: errors.DomainError, packed: any_pb2.Any) -> None:
    info, bad, retry = (
        error_details_pb2.ErrorInfo(),
        error_details_pb2.BadRequest(),
        error_details_pb2.RetryInfo(),
    )
    if packed.Unpack(info):
        result.metadata = dict(info.metadata)
        result.reason = info.reason  # type: ignore[misc]
    elif packed.Unpack(bad):
        result.violations = tuple(errors.Violation(v.field, v.description) for v in bad.field_violations)
    elif packed.Unpack(retry):
        result.retry_after = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9


def render_failure_frame(error: errors.DomainError) -> bytes:
    """The last server-sent event of a stream that failed, in the shape of REST's errors."""
    failure = {"error": error.message, "code": name_code(code_of(error)), "details": []}
    return f"event: failed\ndata: {json.dumps(failure)}\n\n".encode()


def name_code(code: int) -> str:
    """NOT_FOUND for 5."""
    return next(status.name for status in grpc.StatusCode if status.value[0] == code)


# Of the statuses of gRPC those that a server is at fault for, by OpenTelemetry's conventions; the others refuse.
_FAULTS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})
Context = grpc.aio.ServicerContext[Any, Any]


def observe_unary(
    run: Callable[[Any, Context], Awaitable[Any]], metadata: Mapping[str, str], *, method: str, writes: bool
) -> Callable[[Any, Context], Awaitable[Any]]:
    """`run` with a trace around it and its duration noted; `run` itself for reads that are not traced."""
    if not (writes or tracing.is_recording() or metrics.is_counting() or tracing.is_reporting()):
        return run

    async def observed(request: Any, context: Context) -> Any:
        start = time.perf_counter()
        sample = tracing.start_transaction(method) if tracing.is_reporting() else contextlib.nullcontext()

        def is_fault(_: Exception) -> bool:
            return _name_code(context) in _FAULTS

        traceparent = metadata.get("traceparent", "")
        ids = tracing.identifying(**find_ids(request))
        with ids, tracing.continue_trace(traceparent, method, is_fault=is_fault), sample:
            try:
                return await run(request, context)
            finally:
                if metrics.is_counting():
                    metrics.observe_rpc(method, _name_code(context), seconds=time.perf_counter() - start)

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
