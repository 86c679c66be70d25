"""Destroy a container that carries the mark of an app and is not its container."""

from __future__ import annotations

from services.apps.domain.changes import ForgetSightings
from services.apps.domain.errors import AppNotFoundError, ContainerManagedError
from services.apps.workflows.state import AppState
from services.apps.workflows.steps.container import Steps
from services.apps.workflows.steps.tools import Tools
from services.common.operations.model import Context, Step, Workflow


def destroy_duplicate(tools: Tools) -> Workflow[AppState]:
    """The workflow; it cannot be cancelled, and looks again: what has become the app's container is left alone.

    The reservation of the app's id stays: it is that of the app's own container.
    """
    steps: Steps[AppState] = Steps(tools)

    async def destroy_container(state: AppState, ctx: Context) -> AppState:
        container = await tools.find(state)
        if container is not None and container.owner != state.app_id:
            raise ContainerManagedError(
                f"container {state.vmid} carries the mark of {container.owner or 'nobody'} now, not of {state.app_id}"
            )
        # The container may have become the app's own since the request.
        if await is_own(state, node=container.node if container else ""):
            raise ContainerManagedError(f"container {state.vmid} is that of the app {state.app_id}")
        return await steps.destroy(state, ctx)

    async def is_own(state: AppState, *, node: str) -> bool:
        try:
            app = await tools.apps.get_app(state.app_id)
        except AppNotFoundError:
            return False
        # The same VMID and node on another host: the same server, registered twice.
        return app.vmid == state.vmid and (app.host_id == state.host_id or app.node == node)

    return Workflow(
        kind="destroy_duplicate",
        steps=(Step("destroy_container", "Destroying the container", destroy_container, cancellable=False),),
        state_type=AppState,
        on_succeeded=lambda state: (ForgetSightings(state.host_id, state.vmid or 0),),
        on_failed=lambda _state, _failure: (),
        timeout_s=3600,
    )
