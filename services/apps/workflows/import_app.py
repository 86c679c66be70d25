"""Take over the container of an app that came from the Django system; what runs in it is not touched."""

from __future__ import annotations

import dataclasses

from services.apps.domain.changes import Change, ChangeApp
from services.apps.domain.errors import ContainerNotFoundError
from services.apps.workflows.state import AppState
from services.apps.workflows.steps.tools import Tools
from services.common.operations.model import Context, Step, Workflow

KIND = "import_app"
STEPS = (("take_over_container", "Marking the container"),)


def import_app(tools: Tools) -> Workflow[AppState]:
    """The workflow; after a failure the app stays, in error, with its container id."""

    async def take_over_container(state: AppState, _ctx: Context) -> AppState:
        container = await tools.find(state)
        if container is None:
            raise ContainerNotFoundError(f"host {state.host_id} has no container {state.vmid}")
        await tools.containers.adopt_container(state.ref, owner=state.app_id)
        return dataclasses.replace(
            state, address=container.address, node=container.node, was_running=container.status == "running"
        )

    return Workflow(
        kind=KIND,
        steps=(Step(*STEPS[0], take_over_container),),
        state_type=AppState,
        on_succeeded=_end,
        on_failed=lambda state, error, _cancelled: (
            ChangeApp(
                state.app_id, {"status": "error", "error": f"its container was not taken over: {error}"}
            ),
        ),
        timeout_s=7 * 24 * 3600,
    )


def _end(state: AppState) -> tuple[Change, ...]:
    """The container's own status counts, unless the app was in error before."""
    status = "running" if state.was_running else "stopped"
    values = {"address": state.address, "node": state.node}
    return (ChangeApp(state.app_id, {**values, "status": "error" if state.previous == "error" else status}),)
