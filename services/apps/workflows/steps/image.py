"""Having the image of an app that is one, or else running the app with Docker Compose."""

from __future__ import annotations

from dataclasses import dataclass, replace

from services.apps.domain.changes import Change, ChangeApp, ForgetUpgrade, SwitchVersion
from services.apps.domain.entities import App
from services.apps.domain.errors import StepFailedError
from services.apps.workflows.state import CreationState
from services.apps.workflows.steps.tools import Tools
from services.common.core.errors import DomainError, TransientError, is_transient
from services.common.operations.model import MAX_ATTEMPTS, Context, Step, StepResult, find_wait


@dataclass(frozen=True)
class DeployState(CreationState):
    """State of a deployment.

    Attributes:
        kept_id: the app as it would run with Docker Compose, stored for the time of the operation where it may run so.
        pulls: how often its image was not to be had.
        image: volume id of the pulled OCI image.
    """

    kept_id: str = ""
    pulls: int = 0
    image: str = ""


@dataclass(frozen=True)
class ImageSteps:
    """The step that has the image."""

    tools: Tools

    @property
    def pull_oci_image(self) -> Step[DeployState]:
        """The image is on the node; or the app was made a Compose project."""
        return Step(
            "pull_oci_image",
            "Downloading the image",
            self.pull,
            weight=5,
            applies=lambda state: state.runtime != "compose",
        )

    async def pull(self, state: DeployState, ctx: Context) -> StepResult[DeployState]:
        """Have the image pulled; one that is not to be had makes a compose app of what may be one."""
        app = await self.tools.apps.get_app(state.app_id)
        if app.runtime != "oci":
            return StepResult(state)
        try:
            return StepResult(await self._pull(state, ctx, image=app.rendering.image))
        except DomainError as error:
            # A node that does not answer is waited for, and is no reason for another runtime.
            if not state.kept_id or find_wait(error) is not None:
                raise
            return await self._fall_back(app, state, ctx=ctx, error=error)

    async def _pull(self, state: DeployState, ctx: Context, *, image: str) -> DeployState:
        task = await self.tools.containers.pull_image(state.host_id, state.node, reference=image)
        await ctx.log(f"Downloading {image}")
        return replace(state, image=await self.tools.finish(task, ctx))

    async def _fall_back(
        self, app: App, state: DeployState, *, ctx: Context, error: DomainError
    ) -> StepResult[DeployState]:
        """Networks and registries come and go: not before its attempts; what Proxmox refuses stays refused."""
        state = replace(state, pulls=state.pulls + 1)
        await ctx.save(state)
        # A failed download is a failed task, whatever its cause, and networks recover.
        may_pass = is_transient(error) or isinstance(error, StepFailedError)
        if may_pass and state.pulls < MAX_ATTEMPTS:
            raise TransientError(error.message) from error
        await ctx.log(
            f"It runs with Docker Compose: the image could not be downloaded: {error.message}",
            level="warning",
        )
        values = {"runtime": "compose", "config": replace(app.config, runtime="compose")}
        changes = (SwitchVersion(state.kept_id, forward=True), ChangeApp(app.id, values))
        return StepResult(replace(state, runtime="compose"), changes)


def forget_fallback(state: DeployState) -> tuple[Change, ...]:
    """Return the change that deletes what was stored for the time of the operation."""
    return (ForgetUpgrade(state.kept_id),) if state.kept_id else ()
