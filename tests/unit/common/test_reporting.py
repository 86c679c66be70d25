"""What goes to Sentry: errors that nobody expected, once, with the user and without values."""

from __future__ import annotations

import subprocess
import sys

from tests.fakes.sinks import SentrySink, serve_sink

_PROGRAM = """
import sentry_sdk
from services.common.core.errors import NotFoundError
from services.common.core.telemetry.tracing import report_error, start_reporting

start_reporting("{dsn}", service="apps", version="2.0.0", debug={debug})

def fail(secret):
    raise {error}

for attempt in range(3):
    try:
        fail("hunter2-is-secret")
    except Exception as error:
        report_error(error, where="/proximity.apps.v1.AppsService/GetApp", user=(7, "ann"), operation_id="op-1")
sentry_sdk.flush(5)
"""


def run_program(error: str, *, debug: bool = False) -> SentrySink:
    sink = SentrySink()
    with serve_sink(sink) as port:
        program = _PROGRAM.format(dsn=f"http://key@127.0.0.1:{port}/1", error=error, debug=debug)
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    return sink


def test_an_unexpected_error_is_reported_once_with_its_user() -> None:
    sink = run_program("ZeroDivisionError('by zero')")
    [event] = sink.events
    assert event["user"] == {"id": "7", "username": "ann"}
    assert event["transaction"] == "/proximity.apps.v1.AppsService/GetApp"
    assert event["tags"]["operation_id"] == "op-1"
    assert (event["environment"], event["release"]) == ("production", "proximity@2.0.0")
    assert event["exception"]["values"][0]["type"] == "ZeroDivisionError"
    assert b"hunter2" not in sink.raw.replace(b'fail(\\"hunter2-is-secret\\")', b"")


def test_refusals_and_lost_connections_are_not_reported() -> None:
    for everyday in ("NotFoundError('no such app')", "ConnectionResetError()", "TimeoutError()"):
        assert run_program(everyday).events == []
