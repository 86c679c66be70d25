"""Domain errors to google.rpc.Status and back."""

from __future__ import annotations

import json
from collections.abc import Sequence

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from services.common.core import errors

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
