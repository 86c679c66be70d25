"""Change an app's resources and environment; what fails or is cancelled is taken back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from services.apps.domain.changes import Change, ChangeApp, ForgetUpgrade, SwitchVersion
from services.apps.domain.config import AppConfig
from services.apps.domain.resources import ContainerUpdate, ResourceChanges
from services.apps.workflows.state import ChangeState, end_as_before, end_taken_back
from services.apps.workflows.steps.compose import DockerSteps
from services.apps.workflows.steps.snapshot import Snapshots
from services.apps.workflows.steps.tools import Tools
from services.clients.inventory.values import Container, ContainerChanges
from services.common.core.errors import DomainError, is_transient
from services.common.operations.model import Context, Failure, Step, StepResult, Workflow

_GIB = 1 << 30  # bytes
_TRIES = 3  # attempts to start what ran before, of failures that may pass


@dataclass(frozen=True)
class UpdateState(ChangeState):
    """State of a change of an app.

    Attributes:
        changes: what changes in the container; of an environment only the names that go and come.
        former: the values of before, of those that change.
        former_config: the app's configuration of before; empty in operations begun by an earlier release.
        kept_id: the version of before, stored for the time of the operation where the environment changes.
    """

    changes: ContainerUpdate = field(default_factory=ContainerUpdate)
    former: ResourceChanges = field(default_factory=ResourceChanges)
    former_config: AppConfig = field(default_factory=AppConfig)
    kept_id: str = ""


@dataclass(frozen=True)
class UpdateSteps:
    """The container is changed first, then what runs in it."""

    tools: Tools

    @property
    def snapshots(self) -> Snapshots[UpdateState]:
        """Taken before what cannot simply be set back."""
        return Snapshots(self.tools)

    @property
    def docker(self) -> DockerSteps[UpdateState]:
        """Steps of the compose project in the container."""
        return DockerSteps(self.tools)

    def may_be_at_risk(self, state: UpdateState) -> bool:
        """Whether a snapshot may be needed, as far as is known before the container was looked at."""
        was_up = state.was_running or state.previous == "error"
        return bool(self.find_risk(dataclasses.replace(state, was_running=was_up)))

    def find_risk(self, state: UpdateState) -> str:
        """Memory and cores are set back; a disk that grows, or another environment of what runs, may break it."""
        if state.was_running and state.changes.has_environment:
            return "the environment changes"
        grows = (state.changes.resources.disk_size or 0) > (state.former.disk_size or 0)
        return "the disk grows" if grows and state.vmid is not None else ""

    async def configure(self, state: UpdateState, ctx: Context) -> UpdateState:
        """Set memory and cores, and grow the disk."""
        if resources := state.changes.resources:
            await self._set(
                state,
                ctx,
                changes=ContainerChanges(
                    memory_mb=resources.memory, cores=resources.cores, disk_gb=resources.disk_size
                ),
            )
        # The status of an app that is not in error says whether its container runs.
        if state.previous != "error" or state.vmid is None:
            return state
        container = await self.tools.find(state)  # an app in error does not say whether its container runs
        return dataclasses.replace(state, was_running=container is not None and container.status == "running")

    async def apply_environment(self, state: UpdateState, ctx: Context) -> UpdateState:
        """Have what runs take the environment."""
        if not state.changes.has_environment:
            return state
        state = dataclasses.replace(state, touched=True)
        await ctx.save(state)
        await self._bring_up(state, ctx, again="reboot")
        return state

    async def probe(self, state: UpdateState, ctx: Context) -> StepResult[UpdateState] | UpdateState:
        """See that what answered before answers with its new environment."""
        if not state.touched or state.previous != "running":
            return StepResult(state)
        return await self.docker.wait_answer(state, ctx)

    async def take_back(self, state: UpdateState, ctx: Context) -> UpdateState:
        """Make container and environment what they were; without a snapshot, a disk that has grown stays so."""
        if state.kept_id:
            await ctx.save(state, SwitchVersion(state.kept_id, forward=False))
        container = await self.tools.find(state)
        if container is None:
            return state
        # Memory and cores are set back in place; only a container that does not run needs its snapshot.
        broken = state.touched or (state.was_running and container.status != "running")
        is_back = broken and await self.snapshots.go_back(state, ctx)
        back = ContainerChanges(memory_mb=state.former.memory, cores=state.former.cores)
        if not is_back and back != ContainerChanges():
            await self._set(state, ctx, changes=back)
        if state.was_running:
            await self.tools.act("start", state, ctx=ctx)
        if state.touched and not is_back and not await self._bring_former_up(state, ctx):
            return state
        container = await self.tools.find(state) or container
        return dataclasses.replace(state, recovered=True, former_config=_describe_former(state, container))

    async def _bring_former_up(self, state: UpdateState, ctx: Context) -> bool:
        """Whether what ran before takes its environment back."""
        try:
            await self._bring_up(state, ctx, again="stop")
        except DomainError as error:
            if is_transient(error) and ctx.operation.undo_attempts < _TRIES:
                raise
            await ctx.log(f"What ran before does not start either: {error.message}", level="error")
            return False
        return True

    async def _bring_up(self, state: UpdateState, ctx: Context, *, again: str) -> None:
        """Give the container the app's environment; `again` makes an image that runs read it."""
        app = await self.tools.apps.get_app(state.app_id)
        if app.runtime == "oci":
            gone = state.changes.dropped if again == "reboot" else state.changes.added
            await self._set(
                state, ctx, changes=ContainerChanges(environment=app.environment, dropped_variables=gone)
            )
            if state.was_running:
                await self.tools.act(again, state, ctx=ctx)
                await self.tools.act("start", state, ctx=ctx)
        elif state.was_running:
            await self.docker.push(state, ctx)
            await self.docker.start_project(state, ctx)

    async def _set(self, state: UpdateState, ctx: Context, *, changes: ContainerChanges) -> None:
        task = await self.tools.containers.configure_container(state.ref, owner=state.app_id, changes=changes)
        await self.tools.finish(task, ctx)


def update_app(tools: Tools) -> Workflow[UpdateState]:
    """Change the container, then what runs in it."""
    steps = UpdateSteps(tools)
    return Workflow(
        kind="update_app",
        steps=(
            steps.snapshots.taking(
                steps.find_risk,
                instead="a failure sets the former values back",
                applies=steps.may_be_at_risk,
            ),
            Step("configure_container", "Changing the container", steps.configure, steps.take_back),
            Step(
                "apply_environment",
                "Applying the environment",
                steps.apply_environment,
                applies=_has_environment,
            ),
            Step(
                "probe",
                "Waiting for the application to answer",
                steps.probe,
                weight=2,
                applies=lambda state: (
                    _has_environment(state) and state.previous == "running" and state.has_port
                ),
            ),
            steps.snapshots.dropping(applies=steps.may_be_at_risk),
        ),
        state_type=UpdateState,
        on_succeeded=_end,
        on_failed=_end_failed,
        timeout_s=3600,
    )


def _has_environment(state: UpdateState) -> bool:
    return state.changes.has_environment


def _describe_former(state: UpdateState, container: Container) -> AppConfig:
    """The configuration of before, with the disk that the container has."""
    former = state.former_config
    if former == AppConfig() or state.former.disk_size is None:
        return former
    disk_size = max(state.former.disk_size, int(container.disk // _GIB))
    return dataclasses.replace(former, disk_size=disk_size)


def _end(state: UpdateState) -> tuple[Change, ...]:
    return (*end_as_before(state), *_forget_former(state))


def _end_failed(state: UpdateState, failure: Failure) -> tuple[Change, ...]:
    """The app is as before, whatever step failed; in error only where what ran before does not run any more."""
    config = {} if state.former_config == AppConfig() else {"config": state.former_config}
    former = (SwitchVersion(state.kept_id, forward=False),) if state.kept_id else ()
    values = {**end_taken_back(state, failure.error), **config}
    return (*former, ChangeApp(state.app_id, values), *_forget_former(state))


def _forget_former(state: UpdateState) -> tuple[Change, ...]:
    return (ForgetUpgrade(state.kept_id),) if state.kept_id else ()
