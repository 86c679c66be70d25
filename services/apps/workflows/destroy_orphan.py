"""Destroy a container that carries our mark and belongs to no app."""

from __future__ import annotations

from services.apps.domain.changes import Change, ForgetSightings
from services.apps.domain.errors import ContainerManagedError
from services.apps.domain.marks import find_holder
from services.apps.workflows.state import AppState
from services.apps.workflows.steps.container import Steps
from services.apps.workflows.steps.tools import Tools
from services.common.operations.model import Context, Step, Workflow


def destroy_orphan(tools: Tools) -> Workflow[AppState]:
    """The workflow; it cannot be cancelled, and touches nothing once there is an app of that mark."""
    steps: Steps[AppState] = Steps(tools)

    async def destroy_container(state: AppState, ctx: Context) -> AppState:
        if app_id := await find_holder(tools.apps, state.app_id):
            raise ContainerManagedError(f"container {state.vmid} belongs to the app {app_id}")
        return await steps.destroy(state, ctx)

    async def release_vmid(state: AppState, _ctx: Context) -> AppState:
        await tools.containers.release_vmid(state.host_id, state.app_id)
        return state

    return Workflow(
        kind="destroy_orphan",
        steps=(
            Step("destroy_container", "Destroying the container", destroy_container, cancellable=False),
            Step("release_vmid", "Giving the container id back", release_vmid, cancellable=False),
        ),
        state_type=AppState,
        on_succeeded=_forget,
        on_failed=lambda _state, _failure: (),
        timeout_s=3600,
    )


def _forget(state: AppState) -> tuple[Change, ...]:
    return (ForgetSightings(state.host_id, state.vmid or 0),)
