# Copyright: the Proximity authors
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
"""Wait for work of the platform, with a time limit and growing intervals."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ansible_collections.proximity.platform.plugins.module_utils.client import Client, ClientError, escape

STABLE = ("running", "stopped", "error")
FIRST_INTERVAL_S = 0.5  # starting and stopping take a second or two
MAX_INTERVAL_S = 5.0  # deployments take minutes; more often would only load the platform
INTERVAL_GROWTH = 1.5


def poll(
    read: Callable[[], Any], is_done: Callable[[Any], bool], *, timeout: float, describe: Callable[[Any], str]
) -> Any:  # noqa: ANN401 - what `read` returns
    """Read until it is done and return what was read last.

    Args:
        read: reads the state.
        is_done: whether that state is final.
        timeout: seconds.
        describe: says in a message what the last state is.

    Raises:
        ClientError: it is not done in time; the work goes on.
    """
    deadline = time.monotonic() + timeout
    interval = FIRST_INTERVAL_S
    while True:
        state = read()
        if is_done(state):
            return state
        left = deadline - time.monotonic()
        if left <= 0:
            raise ClientError(
                f"{describe(state)} after {timeout:g} s (wait_timeout); the work goes on, run the task again to wait"
            )
        time.sleep(min(interval, left))
        interval = min(interval * INTERVAL_GROWTH, MAX_INTERVAL_S)


def read_progress(client: Client, app_id: str) -> dict[str, Any] | None:
    """Return the status of an app with the progress of its work, or None if the app is gone."""
    found: dict[str, Any] | None = client.find(f"/apps/{escape(app_id)}/status")
    return found


def wait_for_app(client: Client, app_id: str, timeout: float) -> dict[str, Any] | None:
    """Wait until an app is in a stable status and return it; None once it is gone.

    Raises:
        ClientError: it takes longer than `timeout` seconds.
    """
    poll(
        lambda: read_progress(client, app_id),
        lambda status: status is None or status["status"] in STABLE,
        timeout=timeout,
        describe=lambda status: describe_progress(app_id, status),
    )
    app: dict[str, Any] | None = client.find(f"/apps/{escape(app_id)}")
    return app


def describe_progress(app_id: str, status: dict[str, Any]) -> str:
    """Say how far the work on an app is."""
    step = status.get("step_description") or status.get("step") or "waiting for a worker"
    return f"{app_id} is {status['status']} at {status.get('progress', 0)} % ({step})"


def explain_failure(client: Client, app: dict[str, Any]) -> str:
    """Say why an app is in error: its error, or the newest line of its log."""
    if app.get("error"):
        return str(app["error"])
    lines = client.get(f"/apps/{escape(app['id'])}/logs", limit=1)["logs"]
    return str(lines[0]["message"]) if lines else "its log is empty"
