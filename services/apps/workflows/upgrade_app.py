"""Bring an app to another revision, and take it back: always after a backup, which a failure goes back to.

The images come while the old version still runs, then the backup is made, so that little is lost with what was
written between the backup and a failure.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Protocol

from services.apps.domain.changes import AddLog, Change, ChangeApp, NoteArchive, SwitchVersion
from services.apps.domain.compose import FOLDER, render_values_file
from services.apps.domain.entities import Upgrade
from services.apps.domain.errors import StepFailedError
from services.apps.workflows.state import end_taken_back
from services.apps.workflows.steps.archive import VOLUMES_NOT_ARCHIVED, restore_archive
from services.apps.workflows.steps.compose import PULL_STALL_S, DockerSteps, is_compose, write_files
from services.apps.workflows.steps.container import Steps
from services.apps.workflows.steps.image_replacement import Exchange, ExchangeState
from services.apps.workflows.steps.snapshot import Snapshots
from services.apps.workflows.steps.tools import Tools
from services.clients.backups.interface import Backups
from services.clients.backups.lookup import find_held_backup
from services.clients.backups.values import HeldBackup
from services.common.core.errors import PreconditionError, UnavailableError
from services.common.operations.model import Context, Failure, Step, StepResult, WaitError, Workflow

_NEXT = f"{FOLDER}/next"
_LOOK_S = 0.5  # until a backup under way is read again; the worker does other work meanwhile
_LEAVE_S = 2.0  # the same while only its end is waited for


@dataclass(frozen=True)
class UpgradeState(ExchangeState):
    """State of an upgrade, or of the way back from one.

    Attributes:
        upgrade_id: the upgrade that is made or gone back from.
        version: where it goes, for people.
        archive: the backup that this operation had made.
        target_archive: of the way back: the backup that is restored.
    """

    upgrade_id: str = ""
    version: str = ""
    archive: str = ""
    target_archive: str = ""


class UpgradeReader(Protocol):
    """Reads of the upgrade that steps work on."""

    async def get_upgrade(self, upgrade_id: str) -> Upgrade:
        """One upgrade."""


@dataclass(frozen=True)
class UpgradeSteps:
    """Steps of both directions."""

    tools: Tools
    backups: Backups
    upgrades: UpgradeReader

    @property
    def _exchange(self) -> Exchange[UpgradeState]:
        return Exchange(self.tools)

    @property
    def snapshots(self) -> Snapshots[UpgradeState]:
        """Quicker to go back to than the backup, and younger."""
        return Snapshots(self.tools)

    def find_risk(self, state: UpgradeState) -> str:
        """Not for an image: its container is made anew, and volumes in a snapshot cannot be handed over."""
        return "the new version starts" if is_compose(state) else ""

    async def start(self, state: UpgradeState, ctx: Context) -> StepResult[UpgradeState]:
        """The container of a compose app runs: images are fetched in it."""
        if (await self.tools.apps.get_app(state.app_id)).runtime == "oci":
            return StepResult(state)
        return await self._start(state, ctx)

    async def start_restored(self, state: UpgradeState, ctx: Context) -> StepResult[UpgradeState]:
        """The container runs."""
        return await self._start(state, ctx)

    async def _start(self, state: UpgradeState, ctx: Context) -> StepResult[UpgradeState]:
        steps: Steps[UpgradeState] = Steps(self.tools)
        return await steps.start(state, ctx)

    async def stop_again(self, state: UpgradeState, ctx: Context) -> UpgradeState:
        """Stop the container if it did not run before."""
        container = await self.tools.find(state)
        if not state.was_running and container is not None and container.status == "running":
            await self.tools.act("stop", state, ctx=ctx)
        return state

    async def pull_images(self, state: UpgradeState, ctx: Context) -> UpgradeState:
        """Fetch the images of the version to come, beside what runs."""
        after = (await self.upgrades.get_upgrade(state.upgrade_id)).after
        app = await self.tools.apps.get_app(state.app_id)
        if app.runtime == "oci":
            return await self._exchange.pull(state, ctx, image=after.rendering.image)
        compose = after.rendering.compose
        values = render_values_file(compose, after.environment, host=app.address or app.hostname)
        # In a folder of its own: the files of the running version stay until the backup is made.
        await write_files(self.tools, state, ctx=ctx, folder=_NEXT, files=(compose, values))
        argv = ("docker", "compose", "-f", f"{_NEXT}/compose.yaml", "pull")
        await self.tools.require(
            state, ctx, argv=argv, purpose="Downloading the images", stall_s=PULL_STALL_S
        )
        return state

    async def back_up(self, state: UpgradeState, ctx: Context) -> StepResult[UpgradeState]:
        """Have a backup made; waiting for it, the worker does other things."""
        if await self._is_lost(state):
            await ctx.log("There is no container that a backup could be made of", level="warning")
            return StepResult(state)
        backup = await self._ask_backup(state, ctx)
        # The worker does other operations while Proxmox writes the archive.
        if backup.status == "creating":
            await ctx.progress(backup.progress / 100)
            raise WaitError(f"backup {backup.id}", delay=_LOOK_S)
        if backup.status != "completed":
            raise StepFailedError(f"backup {backup.id} is {backup.status}: {backup.error}")
        await ctx.log(f"Backup {backup.id} was made before anything is changed")
        found = dataclasses.replace(state, archive=backup.archive)
        made = () if state.target_archive else (NoteArchive(state.upgrade_id, backup.archive),)
        return StepResult(found, made)

    async def leave(self, state: UpgradeState, ctx: Context) -> UpgradeState:
        """Wait until a backup under way has ended, as the app is free afterwards, and stop what did not run before."""
        backup = await find_held_backup(self.backups, ctx.operation.id)
        if backup is not None and backup.status == "creating":
            raise WaitError(f"backup {backup.id} to end", delay=_LEAVE_S)
        return await self.stop_again(state, ctx)

    async def _ask_backup(self, state: UpgradeState, ctx: Context) -> HeldBackup:
        direction = "going back" if state.target_archive else "updating"
        operation = ctx.operation
        try:
            return await self.backups.create_held_backup(
                state.app_id,
                operation.id,
                notes=f"Made before {direction} to {state.version}",
                requested_by=operation.requested_by or 0,
            )
        except UnavailableError as error:
            raise WaitError(f"backups: {error.message}") from error

    async def _is_lost(self, state: UpgradeState) -> bool:
        """Whether an app in error has no container, so that going back is all there is."""
        return bool(state.target_archive) and state.previous == "error" and not await self.tools.find(state)

    async def bring_up(self, state: UpgradeState, ctx: Context) -> UpgradeState | StepResult[UpgradeState]:
        """From here on the container changes: the new definition or image, and what it starts."""
        state = dataclasses.replace(state, touched=True)
        # Written down before the container changes: a worker that takes over knows which version the container may have.
        await ctx.save(state, SwitchVersion(state.upgrade_id, forward=True))
        if (await self.tools.apps.get_app(state.app_id)).runtime == "oci":
            return await self._start(await self._exchange.exchange(state, ctx), ctx)
        docker: DockerSteps[UpgradeState] = DockerSteps(self.tools)
        await docker.push(state, ctx)
        await docker.start_project(state, ctx)
        return state

    async def restore_target(self, state: UpgradeState, ctx: Context) -> UpgradeState:
        """From here on the container changes: it becomes what it was before the update."""
        state = dataclasses.replace(state, touched=True)
        await ctx.save(state, SwitchVersion(state.upgrade_id, forward=False))
        await restore_archive(self.tools, state, ctx=ctx, archive=state.target_archive)
        return state

    async def take_back(self, state: UpgradeState, ctx: Context) -> UpgradeState:
        """Make the container what its snapshot or this operation's backup has, and see that it answers."""
        # The backup is made before the first change: without it there is nothing to take back.
        if not state.touched or not state.archive:
            return state
        await ctx.save(state, SwitchVersion(state.upgrade_id, forward=bool(state.target_archive)))
        if not await self.snapshots.go_back(state, ctx):
            await ctx.log("Going back to the backup made before", level="warning")
            try:
                await restore_archive(self.tools, state, ctx=ctx, archive=state.archive)
            except PreconditionError as error:
                if error.reason != VOLUMES_NOT_ARCHIVED:
                    raise
                await ctx.log(f"The backup is not restored: {error.message}", level="error")
                return state
        await self._exchange.clean_up(state, ctx)
        try:
            state = (await self._start(state, ctx)).state
            docker: DockerSteps[UpgradeState] = DockerSteps(self.tools)
            state = (await docker.wait_answer(state, ctx)).state
        except StepFailedError as error:
            await ctx.log(f"What ran before does not answer either: {error.message}", level="error")
            return state
        await ctx.log("What ran before answers again")
        return dataclasses.replace(state, recovered=True)


def _settle(steps: UpgradeSteps) -> Step[UpgradeState]:
    return Step(
        "settle",
        "Stopping the container again",
        steps.stop_again,
        weight=1,
        applies=lambda state: not state.was_running,
    )


def upgrade_app(tools: Tools, backups: Backups, *, upgrades: UpgradeReader) -> Workflow[UpgradeState]:
    """To the version after the upgrade."""
    steps = UpgradeSteps(tools, backups, upgrades)
    return Workflow(
        kind="upgrade_app",
        steps=(
            Step(
                "start_container",
                "Starting the container",
                steps.start,
                steps.stop_again,
                weight=2,
                applies=is_compose,
            ),
            Step("pull_images", "Downloading the images", steps.pull_images, weight=30),
            Step("back_up", "Making a backup", steps.back_up, steps.leave, weight=30),
            steps.snapshots.taking(steps.find_risk, instead="the backup takes its place", applies=is_compose),
            Step("bring_up", "Starting the new version", steps.bring_up, steps.take_back, weight=10),
            DockerSteps(tools).probe,
            _settle(steps),
            steps.snapshots.dropping(applies=is_compose),
        ),
        state_type=UpgradeState,
        on_succeeded=_end,
        on_failed=_end_failed,
        timeout_s=24 * 3600,
    )


def rollback_app(tools: Tools, backups: Backups, *, upgrades: UpgradeReader) -> Workflow[UpgradeState]:
    """To the version before the upgrade, with the data of then."""
    steps = UpgradeSteps(tools, backups, upgrades)
    return Workflow(
        kind="rollback_app",
        steps=(
            Step("back_up", "Making a backup", steps.back_up, steps.leave, weight=30),
            Step("restore", "Restoring the earlier backup", steps.restore_target, steps.take_back, weight=30),
            Step("start_container", "Starting the container", steps.start_restored, weight=4),
            DockerSteps(tools).probe,
            _settle(steps),
        ),
        state_type=UpgradeState,
        on_succeeded=_end,
        on_failed=_end_failed,
        timeout_s=24 * 3600,
    )


def _end(state: UpgradeState) -> tuple[Change, ...]:
    status = "running" if state.was_running else "stopped"
    values = {"status": status, "error": "", "conditions": [], **_address_of(state)}
    return (
        ChangeApp(state.app_id, values),
        AddLog(state.app_id, f"It is of version {state.version} now"),
    )


def _end_failed(state: UpgradeState, failure: Failure) -> tuple[Change, ...]:
    """The app is as before; in error only where what ran before does not answer any more."""
    values = end_taken_back(state, failure.error)
    forward = bool(state.target_archive)
    return (
        ChangeApp(state.app_id, {**values, **_address_of(state)}),
        SwitchVersion(state.upgrade_id, forward=forward),
    )


def _address_of(state: UpgradeState) -> dict[str, Any]:
    return {} if state.was_running else {"address": ""}
