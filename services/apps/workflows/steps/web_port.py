"""The port of an adopted app's page, which only a look into its running container shows."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from services.apps.domain.changes import ChangeApp
from services.apps.workflows.state import AppState
from services.apps.workflows.steps.tools import Tools, growing_delays
from services.common.core.errors import DomainError
from services.common.operations.model import Context, Step, StepResult

S = TypeVar("S", bound=AppState)
_LISTEN_WAIT_S = 15.0  # after a start: services listen seconds after their container runs
_POLL_S = 5.0  # longest delay between two looks, each of which starts a process in the container


async def find_web_port(tools: Tools, state: AppState, *, ctx: Context) -> int | None:
    """Look for the port into a running container; None with a line in the app's log where it is not certain."""
    try:
        port = await tools.containers.inspect_container(state.ref)
    # Without a known port the app works all the same; it has no URL, and is not probed.
    except DomainError as error:
        await ctx.log(f"The port could not be found: {error.message}", level="warning")
        return None
    await ctx.log(f"Port {port} looks like its page" if port else "No port looks like its page")
    return port


def detecting_after_start(tools: Tools) -> Step[S]:
    """The step that looks for the port of an adopted app that was never seen running."""

    async def detect_port(state: S, ctx: Context) -> S | StepResult[S]:
        loop = asyncio.get_running_loop()
        end, delays = loop.time() + _LISTEN_WAIT_S, growing_delays(_POLL_S)
        while True:
            port = await _inspect(tools, state)
            if port is not None or loop.time() >= end:
                break
            await asyncio.sleep(next(delays))
        await ctx.log(f"Port {port} looks like its page" if port else "No port looks like its page")
        return StepResult(state, (ChangeApp(state.app_id, {"internal_port": port}),)) if port else state

    return Step("detect_port", "Looking for its port", detect_port, applies=_has_unknown_port)


async def _inspect(tools: Tools, state: AppState) -> int | None:
    try:
        return await tools.containers.inspect_container(state.ref)
    except DomainError:
        return None  # a start succeeds without a URL too


def _has_unknown_port(state: AppState) -> bool:
    return state.runtime == "adopted" and not state.has_port
