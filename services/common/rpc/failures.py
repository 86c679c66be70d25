"""Errors that handlers raise, as the refusals that callers get."""

from __future__ import annotations

import uuid

from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.common.core.telemetry.reporting import report_error
from services.common.core.telemetry.tracing import current_trace_id
from services.common.rpc.call import Call
from services.common.rpc.interceptors.deadline import DeadlineExceededError
from services.common.rpc.status import InternalError

log = get_logger()


def convert_failure(error: Exception, call: Call) -> DomainError:
    """Return the refusal that an error of a handler becomes; one that is not expected is reported and logged."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, TimeoutError):
        return DeadlineExceededError("the work took longer than the caller would wait")
    trace_id = current_trace_id() or uuid.uuid4().hex
    user = call.caller.user
    who = (user.id, user.username) if user else None
    report_error(error, where=call.method, user=who, request_id=call.request_id)
    log.error("rpc_failed", method=call.method, trace_id=trace_id, request=call.request_id, exc_info=error)
    sentence = f"internal error; the log has more under {trace_id}"
    return InternalError(sentence, metadata={"trace_id": trace_id})
