"""TestBackup: restore an archive into an isolated container, start it, check what is in it, destroy it.

A step that finds the backup broken records that in the state, and the steps after it do nothing until the container is
destroyed. Everything else that goes wrong says nothing about the backup: the steps are undone, and it stays untested.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from services.backups.domain.changes import BackupChange, NoteTestLog
from services.backups.domain.errors import RestoreTestImpossibleError
from services.backups.domain.restore_tests import RestoreTestStep, find_differences, find_down
from services.backups.workflows.steps.archive_tasks import follow, follow_saved
from services.backups.workflows.test_backup_state import TestBackupState
from services.clients.inventory.errors import TaskFailedError
from services.clients.inventory.interface import Containers
from services.clients.inventory.restore_tests import Contents
from services.clients.inventory.tasks import end_task
from services.clients.inventory.test_containers import remove_test_container
from services.clients.inventory.values import Task
from services.common.core.errors import BusyError, PreconditionError, TransientError, UnavailableError
from services.common.operations.model import Context, Failure, Step, StepResult, Workflow

KIND = "test_backup"
LIMIT = timedelta(minutes=50)  # so that no test container is there for an hour
# Reasons of inventory's refusals: its classes are its own, and services meet on the wire only.
_BROKEN, _TAKEN, _STOPPED, _HUNG = "CREATION_BROKEN", "VMID_TAKEN", "CONTAINER_STOPPED", "EXEC_HUNG"
# Reasons of Proxmox that say something about the node and nothing about the archive.
_OF_NODE = re.compile(
    r"no space left|not enough (free )?space|storage '[^']*' (is not online|does not exist)|cannot allocate memory|"
    r"permission check failed|input/output error|quota exceeded|interrupted by signal|received interrupt|got signal \d",
    re.IGNORECASE,
)
_Run = Callable[[TestBackupState, Context], Awaitable[TestBackupState]]


@dataclass(frozen=True, kw_only=True)
class RestoreTestPace:
    """Waits of a restore test in seconds.

    Attributes:
        poll_s: between two looks into the container, each of which starts a process on the node.
        grace_s: for an app that names no time of its own: images unpack, databases recover.
        boot_s: until a container has booted and Docker answers, which takes 10 s on a real server.
    """

    poll_s: float = 3.0
    grace_s: float = 120.0
    boot_s: float = 60.0


@dataclass(frozen=True)
class TestBackup:
    """Steps of TestBackup."""

    containers: Containers
    pace: RestoreTestPace

    async def restore(self, state: TestBackupState, ctx: Context) -> TestBackupState:
        """Restore the archive under a reserved id, or resume the task that does.

        A restore that fails for a reason of the archive ends the test; Proxmox removes what it made.
        """
        if state.broken:
            return state.fail(RestoreTestStep.RESTORE, state.broken)
        if not state.vmid:
            state = await self._reserve(state, ctx)
        if not state.upid:
            state = await self._begin_restore(state, ctx)
        try:
            await follow_saved(self.containers, state, ctx=ctx)
        except TaskFailedError as error:
            await ctx.save(replace(state, upid=""))
            if _OF_NODE.search(error.message):
                raise RestoreTestImpossibleError(f"the restore was not possible: {error.message}") from error
            return replace(state, upid="").fail(RestoreTestStep.RESTORE, error.message)
        return replace(state, upid="").add_line("restored")

    async def _reserve(self, state: TestBackupState, ctx: Context) -> TestBackupState:
        vmid = await self.containers.reserve_vmid(state.host_id, state.owner)
        state = replace(state, vmid=vmid).add_line(
            f"restoring {state.archive} as container {vmid} on node {state.node}, storage {state.storage}, "
            + (f"bridge {state.bridge}" if state.bridge else "without network")
        )
        await ctx.save(state, NoteTestLog(state.backup_id, tuple(state.log)))
        return state

    async def _begin_restore(self, state: TestBackupState, ctx: Context) -> TestBackupState:
        try:
            task = await self._request(state)
        except BusyError as error:
            if error.reason == _BROKEN:
                await follow(
                    self.containers, await self.containers.destroy_container(state.ref, owner=state.owner)
                )
                raise TransientError(f"{error.message}; it was removed") from error
            if error.reason == _TAKEN:
                await self.containers.release_vmid(state.host_id, state.owner)
                await ctx.save(replace(state, vmid=0))
                raise TransientError(f"{error.message}; another id is reserved") from error
            raise
        return await _save_task(state, task, ctx=ctx)

    async def _request(self, state: TestBackupState) -> Task:
        return await self.containers.restore_test_container(
            state.ref,
            owner=state.owner,
            archive=state.archive,
            storage=state.storage,
            bridge=state.bridge,
        )

    async def undo(self, state: TestBackupState, _: Context) -> TestBackupState:
        """End the task under way, destroy the container, and release its id."""
        await end_task(self.containers, state.task)
        if not state.vmid:  # it may have been reserved without being saved
            await self.containers.release_vmid(state.host_id, state.owner)
        return await self.remove(state, _)

    async def start(self, state: TestBackupState, ctx: Context) -> TestBackupState:
        """Check that the container is isolated, and start it."""
        if not state.upid:
            await self._request(state)  # it is there: this checks it, and makes nothing
            task = await self.containers.start_container(state.ref, owner=state.owner)
            state = await _save_task(state, task, ctx=ctx)
        try:
            await follow_saved(self.containers, state, ctx=ctx)
        except TaskFailedError as error:
            await ctx.save(replace(state, upid=""))
            if _OF_NODE.search(error.message):
                raise RestoreTestImpossibleError(f"the start was not possible: {error.message}") from error
            return replace(state, upid="").fail(RestoreTestStep.START, error.message)
        return replace(state, upid="").add_line("started")

    async def check_containers(self, state: TestBackupState, _: Context) -> TestBackupState:
        """Wait until the containers of Docker run that ran when the backup was made."""
        loop = asyncio.get_running_loop()
        # Not in the state: a container that another worker takes over has had a pause, and gets its whole time.
        end = loop.time() + self._find_grace(state) + self.pace.boot_s
        while True:
            step, problem, found = await self._look_inside(state)
            if found is not None:
                running = sum(one.state == "running" for one in found.containers)
                what = (
                    f"{running} containers of Docker run" if found.has_docker else "it runs, without Docker"
                )
                return state.add_line(what)
            if loop.time() >= end:
                return state.fail(step, problem)
            await asyncio.sleep(self.pace.poll_s)

    async def _look_inside(self, state: TestBackupState) -> tuple[RestoreTestStep, str, Contents | None]:
        """Return the contents when all is up, else the step that fails if it stays so, and why."""
        try:
            found = await self.containers.inspect_contents(state.ref, owner=state.owner)
        except PreconditionError as error:
            if error.reason == _STOPPED:
                return RestoreTestStep.START, "the container stopped by itself", None
            raise RestoreTestImpossibleError(f"nothing can be checked inside: {error.message}") from error
        except UnavailableError as error:
            if error.reason == _HUNG:
                return RestoreTestStep.CONTAINERS, error.message, None
            raise
        problems = find_down(found, state.app.contents)
        return RestoreTestStep.CONTAINERS, "; ".join(problems), None if problems else found

    async def probe(self, state: TestBackupState, _: Context) -> TestBackupState:
        """Wait until the app's port answers inside."""
        target = state.app.probe
        if target is None:
            return state.add_line("the app has no port to probe")
        loop = asyncio.get_running_loop()
        end = loop.time() + self._find_grace(state)
        while True:
            probe = await self.containers.probe_port(
                state.ref,
                owner=state.owner,
                port=target.port,
                scheme=target.scheme,
                path=target.path,
                # The test container has no network by which a probe from outside could reach it.
                inside=True,
            )
            if probe.answered:
                return state.add_line(f"port {target.port} answers")
            if loop.time() >= end:
                reason = f"port {target.port} does not answer: {probe.message or 'nothing listens'}"
                return state.fail(RestoreTestStep.PROBE, reason)
            await asyncio.sleep(self.pace.poll_s)

    async def compare(self, state: TestBackupState, _: Context) -> TestBackupState:
        """Compare images and volumes with those of the app when the backup was made."""
        recorded = state.app.contents
        if recorded is None:
            return replace(state, is_done=True).add_line("nothing was recorded that could be compared")
        found = await self.containers.inspect_contents(state.ref, owner=state.owner)
        if problems := find_differences(found, recorded, left_out=state.left_out):
            return state.fail(RestoreTestStep.COMPARE, "; ".join(problems))
        images, folders = len(recorded.images), len(recorded.folders)
        return replace(state, is_done=True).add_line(
            f"{images} images and {folders} volumes are as they were when the backup was made"
        )

    async def remove(self, state: TestBackupState, _: Context) -> TestBackupState:
        """Destroy the container and release its id."""
        if not state.vmid:
            return state
        await remove_test_container(self.containers, state.ref, owner=state.owner)
        return replace(state, vmid=0, upid="").add_line(f"container {state.vmid} is gone, its id is released")

    def _find_grace(self, state: TestBackupState) -> float:
        probe = state.app.probe
        return float(probe.grace_s) if probe and probe.grace_s else self.pace.grace_s


async def _save_task(state: TestBackupState, task: Task, *, ctx: Context) -> TestBackupState:
    state = replace(state, upid=task.upid, node=task.node or state.node)
    await ctx.save(state)
    await ctx.note_upid(task.upid)
    return state


def _unless_failed(
    run: _Run,
) -> Callable[[TestBackupState, Context], Awaitable[TestBackupState | StepResult[TestBackupState]]]:
    """Skip a step once the backup has failed the test; else run it, and show its line in the log."""

    async def run_step(state: TestBackupState, ctx: Context) -> TestBackupState | StepResult[TestBackupState]:
        # A broken backup is a result: raised as an error it would be retried, undone and lost.
        if state.failed_step:
            return state
        state = await run(state, ctx)
        return StepResult(state, (NoteTestLog(state.backup_id, tuple(state.log)),))

    return run_step


def _end(state: TestBackupState) -> tuple[BackupChange, ...]:
    return (state.render_end(),)


def _fail(state: TestBackupState, failure: Failure) -> tuple[BackupChange, ...]:
    return (state.render_end(failure.error),)


def build_workflow(
    containers: Containers, *, limit: timedelta = LIMIT, pace: RestoreTestPace | None = None
) -> Workflow[TestBackupState]:
    """Build the workflow that tests a backup; after its own limit, or `limit`, it is broken off and undone."""
    steps = TestBackup(containers, pace or RestoreTestPace())
    return Workflow(
        KIND,
        (
            Step("restore", "Restoring the archive", _unless_failed(steps.restore), steps.undo, weight=60),
            Step("start", "Starting the test container", _unless_failed(steps.start), weight=5),
            Step(
                "containers", "Waiting for its containers", _unless_failed(steps.check_containers), weight=10
            ),
            Step("probe", "Waiting for the application to answer", _unless_failed(steps.probe), weight=10),
            Step("compare", "Comparing it with the app", _unless_failed(steps.compare), weight=5),
            # Without `_unless_failed`: the container has to go whatever the result is.
            Step("remove", "Destroying the test container", steps.remove, weight=10),
        ),
        TestBackupState,
        _end,
        _fail,
        timeout_s=limit.total_seconds(),
        timeout_of=lambda state: state.limit_s,
    )
