"""protobuf of BackupsService <-> domain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from proximity.backups.v1 import backup_pb2
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.archive_checks import ArchiveCheck
from services.backups.domain.entities import (
    GIB,
    MIB,
    Backup,
    BackupCount,
    BackupFilter,
    BackupOrder,
    BackupStats,
    BackupStatus,
    OperationStanding,
)
from services.backups.domain.interfaces import BackupKey
from services.backups.domain.restore_tests import RestoreTest
from services.backups.usecases.context import BackupPage, BackupRequester, DeadLetterPage
from services.common.core.errors import check_page
from services.common.rpc.call import Call
from services.common.rpc.responses.rendered import render_time

PER_PAGE = 20  # backups of a page when the request names no size, as in every list of the API


def parse_requester(call: Call) -> BackupRequester:
    """Parse the user of a call, and which owner's backups it may see."""
    return BackupRequester(call.user, call.owner_filter, call.request_id)


def parse_key(
    request: pb.GetBackupRequest
    | pb.UpdateBackupRequest
    | pb.RestoreBackupRequest
    | pb.PreviewRestoreRequest
    | pb.TestBackupRequest
    | pb.CheckBackupRequest
    | pb.DeleteBackupRequest,
    call: Call,
) -> BackupKey:
    """Parse the backup that a request names, for this caller."""
    return BackupKey(request.app_id, request.backup_id, call.owner_filter)


def parse_filter(request: pb.ListAllBackupsRequest, call: Call) -> BackupFilter:
    """Parse a filter, limited to the backups that the caller may see."""
    given: dict[str, Any] = {field.name: value for field, value in request.ListFields()}
    # Users see their own backups, whatever owner they name.
    owner_id = given.get("owner") if call.owner_filter is None else call.owner_filter
    names = ("app_id", "status", "policy_id", "storage", "host_id", "app_removed", "protected")
    values = {name: given[name] for name in names if name in given}
    since = request.since.ToDatetime(UTC) if request.HasField("since") else None
    return BackupFilter(owner_id=owner_id, since=since, **values)


def parse_page(
    request: pb.ListBackupsRequest | pb.ListAllBackupsRequest,
) -> BackupPage:
    """Parse the page of backups that a request names.

    Raises:
        InvalidError: it names a page and a backup to begin behind.
    """
    check_page(has_number=request.HasField("page"), after=request.after)
    return BackupPage(request.page or 1, request.per_page or PER_PAGE, request.after)


def parse_operation_page(request: pb.ListBackupDeadLettersRequest) -> DeadLetterPage:
    """Parse the page of operations that a request names.

    Raises:
        InvalidError: it names a page and an operation to begin behind.
    """
    check_page(has_number=request.HasField("page"), after=request.after)
    return DeadLetterPage(request.page or 1, request.per_page or PER_PAGE, request.after)


def parse_order(request: pb.CreateBackupRequest) -> BackupOrder:
    """Parse a requested backup, with the defaults."""
    return BackupOrder(
        backup_type=request.backup_type or "snapshot",
        compression=request.compression or "zstd",
        storage=request.storage,
        notes=request.notes,
    )


def render_backup(backup: Backup) -> backup_pb2.Backup:
    """Render a backup; while it is being made, with the time that it takes."""
    is_new = backup.status is BackupStatus.CREATING
    # The two times may be of different replicas, and clocks are set back now and then.
    elapsed_s = max(0, int((backup.updated_at - backup.created_at).total_seconds()))
    return backup_pb2.Backup(
        left_out=backup.left_out,
        waiting_for=(backup.waiting_for or None) if is_new else None,
        determinate=bool(backup.expected_s) if is_new else None,
        elapsed_s=elapsed_s if is_new else None,
        expected_s=backup.expected_s if is_new else None,
        id=backup.id,
        application_id=backup.app_id,
        file_name=backup.file_name,
        # Until vzdump has named the archive, all that is known is what was requested.
        storage_name=backup.storage or backup.order.storage,
        size=backup.size,
        size_mb=round(backup.size / MIB, 2),
        size_gb=round(backup.size / GIB, 2),
        backup_type=backup.order.backup_type,
        compression=backup.order.compression,
        status=backup.status.value,
        error_message=backup.error or None,
        protected=backup.protected,
        notes=backup.notes,
        progress=backup.progress if is_new else None,
        created_at=render_time(backup.created_at),
        updated_at=render_time(backup.updated_at),
        completed_at=render_time(backup.completed_at),
        is_completed=backup.status is BackupStatus.COMPLETED,
        is_in_progress=backup.is_in_use,
        app_name=backup.app_name,
        app_removed_at=render_time(backup.app_removed_at),
        policy_id=backup.policy_id,
        copy_of=backup.copy_of,
        copies=[
            backup_pb2.BackupCopy(id=one.id, storage_name=one.storage, status=one.status.value)
            for one in backup.copies
        ],
        restore_test=_render_test(backup.restore_test),
        verification=backup.verification or None,
        encrypted=backup.encrypted,
        archive_check=_render_check(backup.archive_check),
    )


def _render_check(check: ArchiveCheck) -> backup_pb2.ArchiveCheck:
    return backup_pb2.ArchiveCheck(
        status=check.status.value,
        message=check.message,
        started_at=render_time(check.started_at),
        ended_at=render_time(check.ended_at),
        duration_s=check.duration_s,
        node=check.node,
    )


def _render_test(test: RestoreTest) -> backup_pb2.RestoreTest:
    return backup_pb2.RestoreTest(
        status=test.status.value,
        failed_step=test.failed_step,
        message=test.message,
        started_at=render_time(test.started_at),
        ended_at=render_time(test.ended_at),
        duration_s=test.duration_s,
        node=test.node,
        log=test.log,
    )


def render_backups(backups: list[Backup], total: int) -> pb.ListBackupsResponse:
    """Render a page of backups."""
    return pb.ListBackupsResponse(backups=[render_backup(backup) for backup in backups], total=total)


def render_stats(stats: BackupStats) -> pb.BackupStats:
    """Render counts and sizes."""
    return pb.BackupStats(
        total_backups=stats.total,
        completed_backups=stats.completed,
        failed_backups=stats.failed,
        in_progress_backups=stats.in_progress,
        missing_backups=stats.missing,
        total_size_gb=round(stats.total_size / GIB, 2),
        average_size_mb=round(stats.average_size / MIB, 2),
    )


def render_held_backup(backup: Backup) -> pb.HeldBackup:
    """Render a backup that an operation of apps requested."""
    return pb.HeldBackup(
        id=backup.id,
        status=backup.status.value,
        progress=backup.progress or 0,
        error=backup.error,
        archive=backup.volume_id,
        broken=backup.is_broken,
    )


def render_standing(standing: OperationStanding) -> pb.HoldingOperation:
    """Render the standing of an operation."""
    return pb.HoldingOperation(status=standing.status, updated_at=render_time(standing.updated_at))


def render_counts(counts: Sequence[BackupCount]) -> pb.CountBackupsResponse:
    """Render the counts of backups of apps."""
    return pb.CountBackupsResponse(
        apps=[
            pb.AppBackups(
                app_id=one.app_id,
                total=one.total,
                protected=one.protected,
                completed=one.completed,
                last_id=one.last_id,
                last_completed_at=render_time(one.last_completed_at) if one.last_completed_at else None,
                restorable=one.restorable,
                external_at=render_time(one.external_at) if one.external_at else None,
                external_storage=one.external_storage,
            )
            for one in counts
        ]
    )
