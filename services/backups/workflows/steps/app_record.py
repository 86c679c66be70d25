"""Record of the app that is being backed up: what is not in the archive, and what a restore test compares with."""

from __future__ import annotations

from services.backups.domain.changes import NoteLeftOut, RecordApp
from services.backups.domain.restore_tests import RecordedApp
from services.backups.workflows.create_backup_state import CreateBackupState
from services.clients.apps.interface import Apps
from services.clients.inventory.interface import Containers
from services.clients.inventory.restore_tests import Contents
from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.common.operations.model import Context

log = get_logger()


async def note_left_out(containers: Containers, state: CreateBackupState, *, ctx: Context) -> str:
    """Record the volumes that will not be in the archive, and return a warning of them; empty: there are none.

    A backup does not fail because they are unknown.
    """
    try:
        volumes = await containers.list_unarchived_volumes(state.ref, owner=state.app_id)
    except DomainError as error:
        log.warning("left_out_unknown", backup_id=state.backup_id, error=error.message)
        return ""
    if not volumes:
        return ""
    names = tuple(volume.description for volume in volumes)
    await ctx.save(state, NoteLeftOut(state.backup_id, names))
    return (
        f"Not in the backup, and lost when it is restored: {', '.join(names)}. "
        "Set backup=1 on these mount points in Proxmox to include them"
    )


async def record_app(apps: Apps, containers: Containers, *, state: CreateBackupState, ctx: Context) -> None:
    """Record port, images and volumes of the app, as far as they can be read; a backup does not fail without them."""
    try:
        app = await apps.get_app_hold(state.app_id, user_id=None)
        # No command runs in a stopped container: its images and volumes cannot be listed.
        contents = await _read_contents(containers, state) if state.was_running else None
    except DomainError as error:
        log.warning("app_not_recorded", backup_id=state.backup_id, error=error.message)
        return
    await ctx.save(state, RecordApp(state.backup_id, RecordedApp.of_app(app, contents)))


async def _read_contents(containers: Containers, state: CreateBackupState) -> Contents | None:
    try:
        return await containers.inspect_contents(state.ref, owner=state.app_id)
    except DomainError as error:
        log.warning("contents_not_recorded", backup_id=state.backup_id, error=error.message)
        return None
