"""Take over the container of an app that came from the Django system; what runs in it is not touched."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.apps.domain.changes import Change, ChangeApp
from services.apps.domain.marks import NOT_TAKEN_OVER
from services.apps.workflows.state import AppState
from services.apps.workflows.steps.tools import Tools
from services.apps.workflows.steps.web_port import find_web_port
from services.clients.inventory.errors import ContainerNotFoundError
from services.common.core.errors import NotFoundError
from services.common.operations.model import Context, Step, WaitError, Workflow

KIND = "import_app"
STEPS = (("take_over_container", "Marking the container"), ("detect_port", "Looking for its port"))
_NO_HOST = "HOST_NOT_FOUND"  # reason of inventory's refusal
_HOST_WAIT_S = 15.0  # an administrator registers hosts by hand


@dataclass(frozen=True)
class ImportState(AppState):
    """State of a take-over.

    Attributes:
        port: the one that the app answers at; None while it is not known.
    """

    port: int | None = None


def import_app(tools: Tools) -> Workflow[ImportState]:
    """The workflow: it waits for a host that is missing, silent, switched off or refuses its credentials.

    After a failure the app stays, in error, with its container id, and reconciliation takes it over later.
    """

    async def take_over_container(state: ImportState, _ctx: Context) -> ImportState:
        try:
            container = await tools.containers.get_container(state.ref)
        except NotFoundError as error:
            if error.reason == _NO_HOST:
                raise WaitError(error.message, delay=_HOST_WAIT_S) from error
            raise ContainerNotFoundError(f"host {state.host_id} has no container {state.vmid}") from error
        # The node where it is now: the old system may have noted another one.
        found = replace(
            state, address=container.address, node=container.node, was_running=container.status == "running"
        )
        await tools.containers.adopt_container(found.ref, owner=state.app_id)
        return found

    async def detect_port(state: ImportState, ctx: Context) -> ImportState:
        return replace(state, port=await find_web_port(tools, state, ctx=ctx)) if state.was_running else state

    return Workflow(
        kind=KIND,
        steps=(Step(*STEPS[0], take_over_container), Step(*STEPS[1], detect_port)),
        state_type=ImportState,
        on_succeeded=_end,
        on_failed=lambda state, failure: (
            ChangeApp(state.app_id, {"status": "error", "error": f"{NOT_TAKEN_OVER}: {failure.error}"}),
        ),
        timeout_s=7 * 24 * 3600,
    )


def _end(state: ImportState) -> tuple[Change, ...]:
    """The container's own status counts, unless the app was in error before."""
    status = "running" if state.was_running else "stopped"
    values = {"address": state.address, "node": state.node, "internal_port": state.port}
    return (ChangeApp(state.app_id, {**values, "status": "error" if state.previous == "error" else status}),)
