"""Reports of unexpected errors to Sentry or a service with its protocol.

Refusals (DomainError), cancellations and lost connections are everyday life and are left out; the same error is sent
once a minute at most. Each report names the RPC or step, the trace and the user's id and name, and no values: neither
local variables nor requests leave the process.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from services.common.core.errors import DomainError
from services.common.core.telemetry.tracing import current_trace_id

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
