"""Backup of an app as it is before a restore overwrites it, made within the restore's operation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from services.backups.domain.changes import AddBackup, NoteLeftOut, RecordApp
from services.backups.domain.errors import RestoreFailedError
from services.backups.workflows.create_backup_state import CreateBackupState
from services.backups.workflows.restore_backup_state import SAFETY_STEP, RestoreBackupState
from services.backups.workflows.steps.app_lock import report_step
from services.backups.workflows.steps.archive_maker import ArchiveMaker
from services.clients.apps.interface import Apps
from services.clients.inventory.interface import Containers
from services.clients.inventory.lookup import find_container
from services.common.core.errors import PreconditionError
from services.common.operations.model import (
    ClaimedOperation,
    Context,
    StepResult,
    dump_state,
    may_pass,
)

_CONTAINER_S = 60.0  # no person waits for a worker: as long as Proxmox may take to answer at all


class InnerContext(Context):
    """Context of the backup's steps: its state is saved within that of the restore.

    What is noted of the backup is collected, because it has no row before its archive exists.
    """

    def __init__(self, outer: Context, state: RestoreBackupState) -> None:
        self._outer = outer
        self.state = state

    @property
    def operation(self) -> ClaimedOperation:
        """See `Context.operation`."""
        return self._outer.operation

    @property
    def is_cancelled(self) -> bool:
        """See `Context.is_cancelled`."""
        return self._outer.is_cancelled

    async def log(self, message: str, *, level: str = "info") -> None:
        """See `Context.log`."""
        await self._outer.log(message, level=level)

    async def save(self, state: Any, *changes: Any) -> None:
        """See `Context.save`."""
        for change in changes:
            if isinstance(change, RecordApp):
                self.state = replace(self.state, safety_recorded=change.app)
            elif isinstance(change, NoteLeftOut):
                self.state = replace(self.state, safety_left_out=change.volumes)
        self.state = _keep(self.state, state)
        await self._outer.save(self.state)

    async def note_upid(self, upid: str) -> None:
        """See `Context.note_upid`."""
        await self._outer.note_upid(upid)

    async def list_upids(self) -> Sequence[str]:
        """See `Context.list_upids`."""
        return await self._outer.list_upids()

    async def progress(self, fraction: float, *, message: str = "") -> None:
        """See `Context.progress`."""
        await self._outer.progress(fraction, message=message)


@dataclass(frozen=True)
class SafetyBackup(ArchiveMaker):
    """The steps of a backup that make and check its archive, shown as one step of a restore."""

    steps: Sequence[tuple[str, str]] = ()

    async def _report(
        self,
        state: CreateBackupState,
        ctx: Context,
        *,
        index: int = 1,
        percent: int = 0,
        message: str = "",
        level: str = "info",
        waiting_for: str = "",
    ) -> None:
        del index  # all of it is one step of the restore
        await report_step(
            self.apps,
            state,
            ctx=ctx,
            steps=self.steps,
            index=[name for name, _ in self.steps].index(SAFETY_STEP[0]),
            # From 1 to 5 percent of the restore, where its next step begins.
            progress=1 + percent * 4 // 100,
            message=message,
            level=level,
            waiting_for=waiting_for,
        )


async def make_safety_backup(
    apps: Apps,
    containers: Containers,
    *,
    state: RestoreBackupState,
    ctx: Context,
    steps: Sequence[tuple[str, str]],
) -> RestoreBackupState | StepResult[RestoreBackupState]:
    """Back the app up under the restore's lock; a container that is gone, or was never whole, needs none.

    Raises:
        RestoreFailedError: the backup could not be made, and nothing was changed.
    """
    if state.safety_done or not await _has_content(containers, state):
        return replace(state, safety_done=True)
    maker = SafetyBackup(apps, containers, steps=steps)
    inner_ctx = InnerContext(ctx, state)
    try:
        inner = await maker.dump(_build_state(state), inner_ctx)
        await inner_ctx.save(inner)
        inner = await maker.record(inner, inner_ctx)
    except PreconditionError as error:
        if may_pass(error):
            raise
        raise RestoreFailedError(
            f"the backup before the restore could not be made: {error.message}. The app is as it was; make room on the "
            "storage, or restore without it by safety_backup: false"
        ) from error
    state = replace(_keep(inner_ctx.state, inner), safety_done=True)
    return StepResult(state, (_render_backup(state, inner),))


async def _has_content(containers: Containers, state: RestoreBackupState) -> bool:
    container = await find_container(containers, state.ref, timeout=_CONTAINER_S)
    if container is None:
        return False
    # What a creation that was broken off left carries no mark yet: vzdump would refuse it, and nothing is in it.
    return bool(container.owner) or not (container.lock or container.bare)


async def undo_safety_backup(
    apps: Apps, containers: Containers, *, state: RestoreBackupState
) -> RestoreBackupState:
    """End the task and delete the archives of a backup that was not completed; a completed one stays.

    Raises:
        WaitError: a task may still make an archive, or a storage that may have one does not answer.
    """
    if state.safety_done or state.safety_dump is None:
        return state
    inner = _build_state(state)
    maker = SafetyBackup(apps, containers)
    await maker.stop_dump(inner, _NO_CONTEXT)
    await maker.delete_made(inner)
    return replace(state, safety_dump=None)


_NO_CONTEXT: Any = None  # stop_dump of a backup in snapshot mode uses none


def _build_state(state: RestoreBackupState) -> CreateBackupState:
    if state.safety_dump is not None:
        return CreateBackupState(**state.safety_dump, storages=state.safety_storages)
    return CreateBackupState(
        operation_id=state.operation_id,
        backup_id=0,
        app_id=state.app_id,
        # The operation's id tells apps which version of the app is in the backup.
        mark=state.operation_id,
        # The app runs on meanwhile: the restore itself stops it later, and for a shorter time.
        backup_type="snapshot",
        compression="zstd",
        # Where most room is: nobody chose a storage, and a full one would prevent the restore.
        storage="",
        notes=_describe(state),
        host_id=state.host_id,
        vmid=state.vmid,
        node=state.node,
        storages=(),
    )


def _keep(state: RestoreBackupState, inner: CreateBackupState) -> RestoreBackupState:
    """Take the state of the backup into that of the restore.

    Its storages are a field of their own: a worker of the former release loads no dump with a field that it does not
    know, and leaves out such a field of the restore.
    """
    return replace(state, safety_dump=_dump(replace(inner, storages=None)), safety_storages=inner.storages)


def _dump(state: CreateBackupState) -> dict[str, Any]:
    """Return a state as JSON values, without those a worker of the former release may not know: they have their defaults."""
    defaults = {field.name: field.default for field in fields(state)}
    return {name: value for name, value in dump_state(state).items() if value != defaults[name]}


def _describe(state: RestoreBackupState) -> str:
    return f"Before the restore of backup {state.backup_id}"


def _render_backup(state: RestoreBackupState, inner: CreateBackupState) -> AddBackup:
    return AddBackup(
        app_id=state.app_id,
        app_name=state.app_name,
        owner_id=state.owner_id,
        host_id=state.host_id,
        vmid=state.vmid,
        mark=inner.mark,
        notes=_describe(state),
        volume_id=inner.volume_id,
        file_name=inner.file_name,
        storage=inner.storage_name,
        size=inner.size,
        began_at=inner.began_at,
        left_out=tuple(state.safety_left_out),
        recorded=state.safety_recorded,
    )
