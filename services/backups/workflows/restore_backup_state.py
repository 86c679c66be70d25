"""State of RestoreBackup over the app, persisted after every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.backups.domain.restore_tests import RecordedApp
from services.clients.apps.values import AppHold
from services.clients.inventory.values import Ref, Task

SAFETY_STEP = ("safety_backup", "Making a backup of the app as it is")
# The steps that the app's users see, in order; the release is internal.
_REPORTED = (
    ("claim_app", "Locking the app"),
    SAFETY_STEP,
    ("stop_container", "Stopping the app"),
    ("restore_archive", "Restoring the archive"),
    ("start_container", "Starting the app"),
    ("probe", "Waiting for the application to answer"),
)


@dataclass(frozen=True, kw_only=True)
class RestoreBackupState:
    """State of RestoreBackup over the app.

    Attributes:
        app_status, settled_status: of the app before; see `AppHold`.
        was_running: whether the container ran before; None until it was read.
        to_run: the app is to run afterwards, also where its container does not run now, or is gone.
        overwriting: the container may no longer be what it was.
        recovered: after a failure, the container runs again.
        gone: after a failure, there is no container any more.
        upid: the Proxmox task of the step under way.
        ended: the backup is free again.
        made_by: the operation that made the backup.
        storage: where the root disk goes when there is no container any more.
        lose_volumes: keys of volumes that are not in the archive and may be destroyed.
        archive_gone: the archive is on no storage; nothing was done.
        unanswered: the restored app does not answer.
        safety: whether a backup of the app as it is is made first.
        safety_done: it was made, or there was nothing to back up.
        safety_dump: state of the making of it; None before it began.
        safety_storages: on which its archive may be; see `CreateBackupState`.
        safety_left_out: volumes that are not in it.
        safety_recorded: what a restore test of it compares with.
        app_name, owner_id: of the app, for it.
    """

    operation_id: str
    backup_id: int
    app_id: str
    archive: str
    host_id: int
    vmid: int
    node: str
    app_status: str = ""
    settled_status: str = ""
    was_running: bool | None = None
    to_run: bool = False
    overwriting: bool = False
    recovered: bool = False
    gone: bool = False
    upid: str = ""
    ended: bool = False
    made_by: str = ""
    storage: str = ""
    lose_volumes: Sequence[str] = ()
    archive_gone: bool = False
    unanswered: bool = False
    safety: bool = False
    safety_done: bool = False
    safety_dump: Mapping[str, Any] | None = None
    safety_storages: Sequence[str] | None = None
    safety_left_out: Sequence[str] = ()
    safety_recorded: RecordedApp | None = None
    app_name: str = ""
    owner_id: int = 0

    def take_app(self, app: AppHold) -> RestoreBackupState:
        """Return the state with the app as it was when it was locked."""
        return replace(
            self,
            vmid=app.vmid,
            node=app.node,
            app_name=app.name,
            owner_id=app.owner_id,
            app_status=app.status,
            settled_status=app.settled_status,
        )

    @property
    def runs_after(self) -> bool:
        """Return whether the app runs after the restore."""
        return self.to_run or bool(self.was_running)  # an operation of the release before has only the latter

    @property
    def ref(self) -> Ref:
        """Return the place of the app's container."""
        return Ref(self.host_id, self.vmid, self.node)

    @property
    def task(self) -> Task:
        """Return the task under way."""
        return Task(self.host_id, self.node, self.upid)


def list_steps(state: RestoreBackupState) -> tuple[tuple[str, str], ...]:
    """List the steps that users see of this restore."""
    return tuple(step for step in _REPORTED if state.safety or step != SAFETY_STEP)
