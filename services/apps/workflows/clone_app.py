"""Copy an app with its data, from its container or from one of its backups."""

from __future__ import annotations

import dataclasses

from services.apps.domain.changes import ChangeApp
from services.apps.workflows.deploy_app import end_deployed
from services.apps.workflows.state import CreationState, end_failed_new
from services.apps.workflows.steps.compose import DockerSteps
from services.apps.workflows.steps.container_creation import make_first_container
from services.apps.workflows.steps.creation import CreationSteps
from services.apps.workflows.steps.tools import Tools
from services.clients.inventory.lookup import find_container
from services.clients.inventory.restore_plans import RestoreOrder
from services.clients.inventory.values import ContainerChanges, Ref, Task
from services.common.core.errors import BusyError, DomainError, is_transient
from services.common.operations.model import Context, Step, StepResult, Workflow

_MUST_STOP = "CONTAINER_RUNNING"


@dataclasses.dataclass(frozen=True)
class CopyState(CreationState):
    """State of a copy.

    Attributes:
        source_app_id: the app that is copied; also its container and node.
        source_stopped: the source was stopped for the copy and has to be started again.
        archive: the backup that a new app is made of, as the new app's host names it.
        archive_host_id: the host that made it; 0 in operations that an earlier release recorded.
        source_archive: as that host names it.
        backup_id: in its notes.
        archive_size: bytes.
    """

    source_app_id: str = ""
    source_vmid: int = 0
    source_node: str = ""
    source_stopped: bool = False
    archive: str = ""
    archive_host_id: int = 0
    source_archive: str = ""
    backup_id: str = ""
    archive_size: float = 0

    @property
    def source(self) -> Ref:
        """The container that is copied."""
        return Ref(self.host_id, self.source_vmid, self.source_node)


def clone_app(tools: Tools) -> Workflow[CopyState]:
    """From the container of the source; where its storage has no snapshots, the source is stopped meanwhile."""
    steps: CreationSteps[CopyState] = CreationSteps(tools)

    async def ask_clone(state: CopyState) -> Task:
        app = await tools.apps.get_app(state.app_id)
        return await tools.containers.clone_container(
            state.source,
            source_owner=state.source_app_id,
            target=state.ref,
            owner=app.id,
            hostname=app.hostname,
        )

    async def clone_container(state: CopyState, ctx: Context) -> CopyState:
        if not state.source_stopped:
            try:
                return await make_first_container(tools, state, ctx=ctx, ask=ask_clone)
            # Storages without snapshots copy only stopped containers, and refuse with this reason.
            except BusyError as error:
                if error.reason != _MUST_STOP:
                    raise
                state = dataclasses.replace(state, source_stopped=True)
                await ctx.save(state)  # the worker that goes on after a crash starts the source again
                await ctx.log(f"{error.message}. The source is stopped while it is copied", level="warning")
        await _act_on_source(tools, "stop", state=state, ctx=ctx)
        return await make_first_container(tools, state, ctx=ctx, ask=ask_clone)

    async def start_source(state: CopyState, ctx: Context) -> CopyState:
        if not state.source_stopped:
            return state
        try:
            await _act_on_source(tools, "start", state=state, ctx=ctx)
        except DomainError as error:
            if is_transient(error):
                raise
            await ctx.log(f"The source could not be started again: {error.message}", level="error")
        else:
            await ctx.log("The source was started again")
        return dataclasses.replace(state, source_stopped=False)

    async def destroy_and_start_source(state: CopyState, ctx: Context) -> CopyState:
        return await start_source(await steps.destroy_made(state, ctx), ctx)

    cloning = Step(
        "clone_container", "Copying the container", clone_container, destroy_and_start_source, weight=30
    )
    starting = Step(
        "start_source",
        "Starting what was stopped for it",
        start_source,
        applies=lambda state: state.source_stopped,
    )
    return _copy(tools, "clone_app", cloning, starting)


async def _act_on_source(tools: Tools, action: str, *, state: CopyState, ctx: Context) -> None:
    """Stop or start the source; one that is gone needs neither."""
    if await find_container(tools.containers, state.source) is None:
        return
    begin = tools.containers.start_container if action == "start" else tools.containers.stop_container
    task = await begin(state.source, owner=state.source_app_id)
    await tools.finish(task, ctx)


def restore_beside(tools: Tools) -> Workflow[CopyState]:
    """From an archive, which may be older than the last change of the app's memory."""

    async def check_place(state: CopyState, ctx: Context) -> StepResult[CopyState]:
        if state.taken_over:
            return StepResult(state)  # it was made of the archive already, which may be gone by now
        # Minutes or hours may have passed since the request: a storage may be full or gone by now.
        app = await tools.apps.get_app(state.app_id)
        order = RestoreOrder(
            source_host_id=state.archive_host_id or state.host_id,
            archive=state.source_archive or state.archive,
            backup_id=state.backup_id,
            size=state.archive_size,
            host_id=state.host_id,
            node=state.node,
            storage=app.config.storage,
        )
        place = await tools.containers.plan_restore(order)
        place.check()
        for warning in place.warnings:
            await ctx.log(warning, level="warning")
        state = dataclasses.replace(state, archive=place.archive)
        if app.config.storage in ("", place.storage):
            return StepResult(state)
        # The storage of the original is one of another host or node.
        config = dataclasses.replace(app.config, storage=place.storage)
        return StepResult(state, (ChangeApp(app.id, {"config": config}),))

    async def ask_restore(state: CopyState) -> Task:
        app = await tools.apps.get_app(state.app_id)
        return await tools.containers.restore_container(
            state.ref,
            owner=app.id,
            beside=True,
            archive=state.archive,
            hostname=app.hostname,
            storage=app.config.storage,
        )

    async def restore_container(state: CopyState, ctx: Context) -> CopyState:
        return await make_first_container(tools, state, ctx=ctx, ask=ask_restore)

    steps: CreationSteps[CopyState] = CreationSteps(tools)
    restoring = steps.destroying(
        "restore_container", "Restoring the archive", run=restore_container, weight=30
    )

    async def configure_container(state: CopyState, ctx: Context) -> CopyState:
        app = await tools.apps.get_app(state.app_id)
        # The archive has the resources of its time; the quota was checked with those of now.
        changes = ContainerChanges(memory_mb=app.config.memory, cores=app.config.cores)
        await tools.finish(
            await tools.containers.configure_container(state.ref, owner=app.id, changes=changes), ctx
        )
        return state

    configuring = Step("configure_container", "Giving it the app's memory and cores", configure_container)
    checking = Step("check_place", "Checking the archive and the place for it", check_place, weight=1)
    return _copy(tools, "restore_beside", checking, restoring, configuring)


def _copy(tools: Tools, kind: str, *making: Step[CopyState]) -> Workflow[CopyState]:
    steps: CreationSteps[CopyState] = CreationSteps(tools)
    docker: DockerSteps[CopyState] = DockerSteps(tools)
    return Workflow(
        kind=kind,
        steps=(
            steps.reserve_vmid,
            *making,
            steps.start_container,
            docker.push_compose,
            docker.compose_up,
            docker.probe,
        ),
        state_type=CopyState,
        on_succeeded=end_deployed,
        on_failed=end_failed_new,
        timeout_s=24 * 3600,
    )
