"""Take over a container as it is; what runs in it is not touched."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.apps.domain.changes import AnnounceDeployed, Change, ChangeApp, RemoveApp
from services.apps.workflows.state import AppState
from services.apps.workflows.steps.tools import Tools
from services.apps.workflows.steps.web_port import find_web_port
from services.clients.inventory.errors import ContainerNotFoundError
from services.common.operations.model import Context, Failure, Step, Workflow


@dataclass(frozen=True)
class AdoptState(AppState):
    """State of an adoption.

    Attributes:
        port: the one that the app answers at.
        replaced_mark: the mark of another app that the container carries and loses.
    """

    port: int | None = None
    replaced_mark: str = ""


def adopt_container(tools: Tools) -> Workflow[AdoptState]:
    """The workflow; a failure takes the mark off again and leaves the app in error, a cancellation forgets it."""

    async def mark_container(state: AdoptState, ctx: Context) -> AdoptState:
        await tools.containers.adopt_container(state.ref, owner=state.app_id, instead_of=state.replaced_mark)
        for conflict in await tools.containers.list_address_conflicts(state.ref):
            await ctx.log(conflict, level="warning")
        return state

    async def unmark_container(state: AdoptState, _ctx: Context) -> AdoptState:
        # A container that is gone has no mark to take off.
        if await tools.find(state) is not None:
            await tools.containers.release_container(state.ref, owner=state.app_id)
        return state

    async def detect_port(state: AdoptState, ctx: Context) -> AdoptState:
        container = await tools.find(state)
        if container is None:
            raise ContainerNotFoundError(f"container {state.vmid} is gone")
        found = replace(
            state, address=container.address, node=container.node, was_running=container.status == "running"
        )
        if found.port is not None or not found.was_running:
            return found
        return replace(found, port=await find_web_port(tools, state, ctx=ctx))

    return Workflow(
        kind="adopt_container",
        steps=(
            Step("mark_container", "Marking the container", mark_container, unmark_container),
            Step("detect_port", "Looking for its port", detect_port),
        ),
        state_type=AdoptState,
        on_succeeded=_end,
        on_failed=_fail,
        timeout_s=3600,
    )


def _fail(state: AdoptState, failure: Failure) -> tuple[Change, ...]:
    """The app stays with the reason, without the container, which can be adopted again; cancelled, it is forgotten."""
    if failure.cancelled:
        return (RemoveApp(state.app_id),)
    return (
        ChangeApp(state.app_id, {"status": "error", "error": failure.error, "vmid": None, "address": ""}),
    )


def _end(state: AdoptState) -> tuple[Change, ...]:
    values = {
        "status": "running" if state.was_running else "stopped",
        "address": state.address,
        "internal_port": state.port,
        "node": state.node,
    }
    return (ChangeApp(state.app_id, values), AnnounceDeployed(state.app_id))
