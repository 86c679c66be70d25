"""Structured logs: one JSON object a line on standard error, constant event names, values as keywords, no secrets."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from services.common.core.telemetry.tracing import current_trace_id
from services.common.core.text import make_lines_printable

_SECRET_WORDS = (
    "password",
    "secret",
    "token",
    "authorization",
    "cookie",
    "private_key",
    "ssh_key",
    "refresh",
    "credential",
)
_PUBLIC_NAMES = {"token_id", "secret_names"}


def _mask_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name in event:
        lowered = name.lower()
        if lowered not in _PUBLIC_NAMES and any(word in lowered for word in _SECRET_WORDS):
            event[name] = "********"
    return event


def _name_trace(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if "trace_id" not in event and (trace_id := current_trace_id()):
        event["trace_id"] = trace_id
    return event


class _Sink:
    """A stream whose loss costs lines of the log and nothing else: the disk that it goes to may be full."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()


class _PrintableFormatter(logging.Formatter):
    """Lines of libraries, which may quote others: no control character reaches the terminal that shows the log."""

    def format(self, record: logging.LogRecord) -> str:
        return make_lines_printable(super().format(record))


def configure_logging(service: str, *, debug: bool) -> None:
    """Set up logging for this process: DEBUG in development, INFO otherwise."""
    level = logging.DEBUG if debug else logging.INFO
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _name_trace,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _mask_secrets,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(_Sink(sys.stderr)),  # type: ignore[arg-type]  # it prints there
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_PrintableFormatter("%(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    structlog.contextvars.bind_contextvars(service=service)


def get_logger() -> structlog.typing.FilteringBoundLogger:
    """The logger. Events are constant snake_case names: `log.info("operation_finished", operation_id=...)`."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger
