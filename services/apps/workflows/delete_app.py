"""Delete an app: a deployed one with its container, an adopted one without."""

from __future__ import annotations

import dataclasses

from services.apps.domain.entities import RemoveApp
from services.apps.workflows.shared import Steps
from services.apps.workflows.state import AppState, end_failed
from services.apps.workflows.tools import Tools
from services.common.core.errors import UnavailableError
from services.common.operations.model import Context, Step, WaitError, Workflow

_WAIT_S = 5.0


@dataclasses.dataclass(frozen=True)
class DeleteState(AppState):
    """What a deletion has found out.

    Attributes:
        delete_backups: the app's backups are to go with it, all but protected ones.
    """

    delete_backups: bool = False


def delete_app(tools: Tools) -> Workflow[DeleteState]:
    """The workflow; it cannot be cancelled. A container that is gone already is no fault."""
    steps: Steps[DeleteState] = Steps(tools)

    async def remove_container(state: DeleteState, ctx: Context) -> DeleteState:
        app = await tools.apps.get_app(state.app_id)
        if state.vmid is None:
            return state
        if not app.adopted:
            return await destroy(await look(state, ctx), ctx)
        if await tools.find(state) is not None:
            await tools.containers.mark("release", state.ref, owner=app.id)
        return state

    async def look(state: DeleteState, ctx: Context) -> DeleteState:
        """See the container once: as long as Proxmox does not answer, nothing is begun."""
        if not state.looked:
            await tools.find(state)
            state = dataclasses.replace(state, looked=True)
            await ctx.save(state)
        return state

    async def destroy(state: DeleteState, ctx: Context) -> DeleteState:
        """Destroy it; once begun there is no way back, so a Proxmox that does not answer is waited for."""
        try:
            return await steps.destroy(state, ctx)
        except UnavailableError as error:
            raise WaitError(error.message, delay=_WAIT_S) from error

    async def release_vmid(state: DeleteState, _ctx: Context) -> DeleteState:
        await tools.containers.release_vmid(state.host_id, state.app_id)
        return state

    return Workflow(
        kind="delete_app",
        steps=(
            Step("remove_container", "Removing the container", remove_container, weight=5, cancellable=False),
            Step("release_vmid", "Giving the container id back", release_vmid, cancellable=False),
        ),
        state_type=DeleteState,
        on_succeeded=lambda state: (RemoveApp(state.app_id, state.delete_backups),),
        on_failed=end_failed,
        timeout_s=3600,
    )
