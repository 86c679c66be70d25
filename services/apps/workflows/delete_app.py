"""Delete an app: a deployed one with its container, an adopted one without."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.apps.domain.changes import RemoveApp
from services.apps.domain.entities import App
from services.apps.domain.errors import StepFailedError
from services.apps.domain.marks import describe_unmanaged, is_recognisable
from services.apps.workflows.state import AppState, end_failed
from services.apps.workflows.steps.container import Steps
from services.apps.workflows.steps.tools import Tools
from services.clients.inventory.values import Container
from services.common.core.errors import UnavailableError
from services.common.operations.model import Context, Step, WaitError, Workflow

_WAIT_S = 5.0  # until the next look at a container that Proxmox works on


@dataclass(frozen=True)
class DeleteState(AppState):
    """State of a deletion.

    Attributes:
        delete_backups: the app's backups are to go with it, all but protected ones.
        keep_container: its container is to stay, without the app's mark.
    """

    delete_backups: bool = False
    keep_container: bool = False


@dataclass(frozen=True)
class DeleteSteps:
    """The container is destroyed, or left without the app's mark."""

    tools: Tools

    async def remove_container(self, state: DeleteState, ctx: Context) -> DeleteState:
        """Destroy what is the app's, leave what is not, and refuse to forget what may be."""
        if state.vmid is None:
            return state
        app, container = await self.tools.apps.get_app(state.app_id), await self.tools.find(state)
        if container is None:
            return state
        stays = app.adopted or state.keep_container
        # Creations set the mark last, so that a broken one leaves none.
        is_wreck = not container.owner and bool(container.lock or container.bare)  # of a creation of ours
        if not stays and (container.owner == app.id or is_wreck):
            return await self._destroy(state, ctx)
        if container.owner != app.id:
            await self._leave(app, container, ctx=ctx, stays=stays)
        if app.id in {container.owner, container.named_owner}:
            await self.tools.containers.release_container(state.ref, owner=app.id)
        return state

    async def release_vmid(self, state: DeleteState, _ctx: Context) -> DeleteState:
        """Give the container id back."""
        await self.tools.containers.release_vmid(state.host_id, state.app_id)
        return state

    async def _destroy(self, state: DeleteState, ctx: Context) -> DeleteState:
        """Destroy it; once begun there is no way back, so what passes is waited for."""
        if not state.looked:
            # Saved first: a worker that takes over knows that the destruction has begun.
            state = replace(state, looked=True)
            await ctx.save(state)
        try:
            steps: Steps[DeleteState] = Steps(self.tools)
            return await steps.destroy(state, ctx)
        except UnavailableError as error:
            raise WaitError(error.message, delay=_WAIT_S) from error

    async def _leave(self, app: App, container: Container, *, ctx: Context, stays: bool) -> None:
        """Leave a container without the app's mark; one that may be the app's needs a decision first.

        Raises:
            StepFailedError: the app would be forgotten while its container runs on.
        """
        if not stays and not container.owner and is_recognisable(app, container):
            raise StepFailedError(
                f"{describe_unmanaged(app, container)}. It looks like the app's container, so the app is not forgotten: "
                f"mark it and delete the app again, or use DELETE /api/apps/{app.id}?container=keep"
            )
        await ctx.log(f"{describe_unmanaged(app, container)}. It is left as it is", level="warning")


def delete_app(tools: Tools) -> Workflow[DeleteState]:
    """The workflow; it cannot be cancelled. A container that is gone already is no fault."""
    steps = DeleteSteps(tools)
    return Workflow(
        kind="delete_app",
        steps=(
            Step(
                "remove_container",
                "Removing the container",
                steps.remove_container,
                weight=5,
                cancellable=False,
            ),
            Step("release_vmid", "Giving the container id back", steps.release_vmid, cancellable=False),
        ),
        state_type=DeleteState,
        on_succeeded=lambda state: (RemoveApp(state.app_id, state.delete_backups),),
        on_failed=end_failed,
        timeout_s=3600,
    )
