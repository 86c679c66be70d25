"""Errors as a person reads them, and the exit status of each."""

from __future__ import annotations

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

FAILED, NOT_SIGNED_IN, NOT_REACHABLE, NOT_FOUND, NOT_POSSIBLE, INTERRUPTED = 1, 3, 4, 5, 6, 130
_STATUSES = {
    grpc.StatusCode.UNAUTHENTICATED: NOT_SIGNED_IN,
    grpc.StatusCode.UNAVAILABLE: NOT_REACHABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: NOT_REACHABLE,
    grpc.StatusCode.NOT_FOUND: NOT_FOUND,
}
_UNREACHED = (
    "failed to connect",
    "DNS resolution",
    "errors resolving",
    "name resolution",
    "Socket closed",
    "Handshake",
    "recvmsg",
)


class CliError(Exception):
    """A command cannot be carried out.

    Args:
        message: one sentence.
        status: the exit status.
        hint: what to do about it.
    """

    def __init__(self, message: str, *, status: int = FAILED, hint: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.hint = hint


def explain_error(error: grpc.RpcError) -> CliError:
    """Return an error of gRPC as a sentence, with every field at fault."""
    code, text = _read_error(error)
    status = _STATUSES.get(code, FAILED)
    if status == NOT_REACHABLE and any(part in text for part in _UNREACHED):
        return CliError(
            f"The platform does not answer: {text}",
            status=status,
            hint="Is it running, and is its address right?",
        )
    if find_reason(error) == "STEP_UP_REQUIRED":
        return CliError(text, status=status, hint="Confirm your password with: proximity step-up")
    if status == NOT_SIGNED_IN:
        return CliError(text or "Not signed in", status=status, hint="Sign in with: proximity login URL")
    if trace := _find_info(error).metadata.get(
        "trace_id", ""
    ):  # of a fault of the platform, as the runbooks want it
        return CliError(
            text or code.name, status=status, hint=f"In the logs of the platform: trace id {trace}"
        )
    faults = list_faults(error)
    shown = "\n".join(f"  {field}: {why}" for field, why in faults) if len(faults) > 1 else ""
    return CliError(text or code.name, status=status, hint=shown)


def list_faults(error: grpc.RpcError) -> list[tuple[str, str]]:
    """Return the fields that were refused, each with the reason."""
    if not isinstance(error, grpc.Call):
        return []
    status = rpc_status.from_call(error)
    faults: list[tuple[str, str]] = []
    for packed in status.details if status is not None else ():
        bad = error_details_pb2.BadRequest()
        if packed.Unpack(bad):
            faults += [(each.field, each.description) for each in bad.field_violations]
    return faults


def find_reason(error: grpc.RpcError) -> str:
    """Return the reason of a refusal, constant and in capitals, or ""."""
    return str(_find_info(error).reason)


def _find_info(error: grpc.RpcError) -> error_details_pb2.ErrorInfo:
    status = rpc_status.from_call(error) if isinstance(error, grpc.Call) else None
    info = error_details_pb2.ErrorInfo()
    if status is not None:
        for packed in status.details:
            if packed.Unpack(info):
                return info
    return error_details_pb2.ErrorInfo()


def _read_error(error: grpc.RpcError) -> tuple[grpc.StatusCode, str]:
    if isinstance(error, grpc.Call):
        return error.code(), error.details() or ""
    return grpc.StatusCode.UNKNOWN, str(error)
