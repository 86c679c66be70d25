"""TestBackup: begin a restore test."""

from __future__ import annotations

import uuid
from dataclasses import replace

from services.backups.domain.entities import Backup
from services.backups.domain.errors import ArchiveGoneError
from services.backups.domain.interfaces import BackupKey
from services.backups.domain.preconditions import check_testable, describe_missing
from services.backups.domain.restore_test_store import NewRestoreTest
from services.backups.domain.restore_tests import RecordedApp
from services.backups.usecases.context import BackupDependencies, BackupRequester
from services.backups.usecases.get_backup_settings import get_backup_settings
from services.clients.inventory.restore_tests import RestoreTestOrder
from services.common.core.errors import NotFoundError, PreconditionError

_UNREADABLE = "ARCHIVE_UNREADABLE"


async def test_backup(
    dependencies: BackupDependencies, requester: BackupRequester, *, key: BackupKey
) -> Backup:
    """Choose a place for a restore test of a backup, record it, and let a worker begin.

    Raises:
        BackupNotFoundError: there is none of this owner.
        BackupNotCompletedError: it has no archive.
        BackupInUseError: it is being deleted, or tested already.
        ArchiveGoneError: its archive is gone from the storage.
        NodeTestingError: another test runs on the node.
        PreconditionError: the archive cannot be isolated, or there is no room for it.
        UnavailableError: its Proxmox host does not answer.
    """
    backup = await dependencies.store.get_backup(key)
    if (await dependencies.store.get_standing(requester.request_id)).status != "unknown":
        return backup  # a repeated request
    check_testable(backup)
    return await begin_test(
        dependencies, backup, operation_id=requester.request_id, requested_by=requester.user.id
    )


async def begin_test(
    dependencies: BackupDependencies, backup: Backup, *, operation_id: str = "", requested_by: int
) -> Backup:
    """Begin a restore test of a backup that can be tested; raises as `test_backup`."""
    options = await get_backup_settings(dependencies)
    recorded, node = await _find_app(dependencies, backup)
    order = RestoreTestOrder(
        host_id=backup.host_id,
        archive=backup.volume_id,
        node=node,
        storage=options.storage,
        bridge=options.bridge,
    )
    new = NewRestoreTest(
        operation_id=operation_id or uuid.uuid4().hex,
        requested_by=requested_by,
        node=node,
        recorded=recorded,
        limit_s=options.limit.total_seconds(),
    )
    try:
        plan = await dependencies.containers.plan_restore_test(order)
    except NotFoundError as error:
        reason = describe_missing(backup.volume_id)
        await dependencies.store.note_presence([backup.id], present=False, error=reason)
        raise ArchiveGoneError(f"backup {backup.id} cannot be tested: {reason}") from error
    except PreconditionError as error:
        # An archive whose configuration cannot be read is broken: the test records that as its outcome.
        if error.reason != _UNREADABLE:
            raise
        new = replace(new, broken=error.message)
    else:
        new = replace(new, node=plan.node, storage=plan.storage, bridge=plan.bridge, notes=plan.notes)
    return await dependencies.tests.begin_test(BackupKey(backup.app_id, backup.id, None), new)


async def _find_app(dependencies: BackupDependencies, backup: Backup) -> tuple[RecordedApp | None, str]:
    """Return the app as it was when the backup was made, else as it is now, and its node; None where it is gone."""
    try:
        app = await dependencies.apps.get_app_hold(backup.app_id, user_id=None)
    except NotFoundError:
        return backup.recorded, ""
    return backup.recorded or RecordedApp.of_app(app), app.node
