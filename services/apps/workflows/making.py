"""Making a container where something may stand in the way: a stranger with its id, or a wreck of our own."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

from services.apps.domain.entities import ChangeApp
from services.apps.domain.interfaces import Task
from services.apps.workflows.shared import AppState, Tools
from services.common.errors import BusyError
from services.common.operations.model import Context, TransientError

_TAKEN, _BROKEN = "VMID_TAKEN", "CREATION_BROKEN"
_ATTEMPTS = 5


async def make_container(
    tools: Tools, state: AppState, ctx: Context, ask: Callable[[AppState], Awaitable[Task]]
) -> AppState:
    """Ask for the task that makes the app's container and follow it; the state has another id when that was taken.

    Raises:
        TransientError: something was in the way again and again.
        DomainError: as the task.
    """
    for _ in range(_ATTEMPTS):
        try:
            task = await ask(state)
        except BusyError as error:
            if error.reason == _TAKEN:
                state = await _take_another(tools, state, ctx)
            elif error.reason == _BROKEN:
                await ctx.log(error.message, level="warning")
                await tools.act("destroy", state, ctx)
            else:
                raise
        else:
            await tools.finish(task, ctx)
            return state
    raise TransientError(f"container {state.vmid} could not be made: its id was taken {_ATTEMPTS} times")


async def _take_another(tools: Tools, state: AppState, ctx: Context) -> AppState:
    """Give the id back that somebody else uses, and write another one down."""
    await ctx.save(state)  # only who holds the operation may reserve for it
    await tools.containers.release_vmid(state.host_id, state.app_id)
    vmid = await tools.containers.reserve_vmid(state.host_id, state.app_id)
    await ctx.log(f"The container id {state.vmid} was taken meanwhile; it is {vmid} now", level="warning")
    found = dataclasses.replace(state, vmid=vmid)
    await ctx.save(found, ChangeApp(state.app_id, {"vmid": vmid}))
    return found
