"""protobuf <-> domain."""

from __future__ import annotations

from proximity.apps.v1 import apps_service_pb2 as apps_pb
from proximity.backups.v1 import backup_pb2
from proximity.backups.v1 import backups_service_pb2 as pb
from proximity.inventory.v1 import container_service_pb2 as containers_pb

from services.backups.domain.entities import (
    GIB,
    MIB,
    AppFacts,
    Archive,
    Backup,
    BackupFilter,
    BackupOrder,
    BackupStats,
    BackupStatus,
    OperationStanding,
    Place,
    ProgressReport,
    Task,
    TaskUpdate,
)
from services.backups.domain.interfaces import BackupKey
from services.backups.domain.usecases import Asker
from services.common.core.timestamps import render_time
from services.common.rpc.call import Call

PER_PAGE = 20


def parse_asker(call: Call) -> Asker:
    """Who asks."""
    return Asker(call.user, call.user.id, call.owner_filter, call.request_id)


def parse_key(
    request: pb.GetBackupRequest | pb.UpdateBackupRequest | pb.RestoreBackupRequest | pb.DeleteBackupRequest,
    call: Call,
) -> BackupKey:
    """The backup that a request names, for this caller."""
    return BackupKey(request.app_id, request.backup_id, call.owner_filter)


def parse_filter(request: pb.ListAllBackupsRequest, call: Call) -> BackupFilter:
    """Which backups of those that the caller may see."""
    return BackupFilter(
        owner_id=call.owner_filter,
        app_id=request.app_id if request.HasField("app_id") else None,
        status=request.status if request.HasField("status") else None,
    )


def parse_page(
    request: pb.ListBackupsRequest | pb.ListAllBackupsRequest | pb.ListBackupDeadLettersRequest,
) -> tuple[int, int]:
    """Page and size of a page."""
    return request.page or 1, request.per_page or PER_PAGE


def parse_order(request: pb.CreateBackupRequest) -> BackupOrder:
    """What is asked for, with the defaults."""
    return BackupOrder(
        backup_type=request.backup_type or "snapshot",
        compression=request.compression or "zstd",
        storage=request.storage,
        notes=request.notes,
    )


def render_backup(backup: Backup) -> backup_pb2.Backup:
    """A backup on the wire; while it is made, with the time that it takes."""
    made = backup.status is BackupStatus.CREATING
    elapsed_s = max(0, int((backup.updated_at - backup.created_at).total_seconds()))
    return backup_pb2.Backup(
        left_out=backup.left_out,
        determinate=bool(backup.expected_s) if made else None,
        elapsed_s=elapsed_s if made else None,
        expected_s=backup.expected_s if made else None,
        id=backup.id,
        application_id=backup.app_id,
        file_name=backup.file_name,
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
        progress=backup.progress if made else None,
        created_at=render_time(backup.created_at),
        updated_at=render_time(backup.updated_at),
        completed_at=render_time(backup.completed_at),
        is_completed=backup.status is BackupStatus.COMPLETED,
        is_in_progress=backup.is_in_use,
        app_name=backup.app_name,
        app_removed_at=render_time(backup.app_removed_at),
    )


def render_backups(backups: list[Backup], total: int) -> pb.ListBackupsResponse:
    """A page of backups."""
    return pb.ListBackupsResponse(backups=[render_backup(backup) for backup in backups], total=total)


def render_stats(stats: BackupStats) -> pb.BackupStats:
    """Counts and sizes."""
    return pb.BackupStats(
        total_backups=stats.total,
        completed_backups=stats.completed,
        failed_backups=stats.failed,
        in_progress_backups=stats.in_progress,
        missing_backups=stats.missing,
        total_size_gb=round(stats.total_size / GIB, 2),
        average_size_mb=round(stats.average_size / MIB, 2),
    )


def render_held(backup: Backup) -> pb.HeldBackup:
    """A backup that an operation of apps had made."""
    return pb.HeldBackup(
        id=backup.id,
        status=backup.status.value,
        progress=backup.progress or 0,
        error=backup.error,
        archive=backup.volume_id,
    )


def render_standing(standing: OperationStanding) -> pb.HoldingOperation:
    """How an operation stands."""
    return pb.HoldingOperation(status=standing.status, updated_at=render_time(standing.updated_at))


def parse_app(hold: apps_pb.AppHold) -> AppFacts:
    """An app's facts."""
    return AppFacts(
        app_id=hold.app_id,
        name=hold.name or hold.hostname,
        status=hold.status,
        host_id=hold.host_id,
        vmid=hold.vmid,
        node=hold.node,
        owner_id=hold.owner_id,
        operation_id=hold.operation_id,
        storage=hold.storage,
    )


def render_report(
    app_id: str, operation_id: str, *, report: ProgressReport
) -> apps_pb.ReportOperationRequest:
    """A report to apps."""
    return apps_pb.ReportOperationRequest(
        app_id=app_id,
        operation_id=operation_id,
        progress=report.progress,
        step=report.step,
        step_description=report.description,
        step_index=report.step_index,
        step_count=report.step_count,
        message=report.message,
        level=report.level if report.message else "",
        attempt=report.attempt,
        worker=report.worker,
        upid=report.upid,
    )


def render_place(place: Place) -> containers_pb.ContainerRef:
    """Where a container is."""
    return containers_pb.ContainerRef(host_id=place.host_id, vmid=place.vmid, node=place.node)


def parse_task(task: containers_pb.Task) -> Task:
    """A task."""
    return Task(task.host_id, task.node, task.upid, task.result)


def render_watch(task: Task) -> containers_pb.WatchTaskRequest:
    """A task to follow or stop."""
    return containers_pb.WatchTaskRequest(host_id=task.host_id, node=task.node, upid=task.upid)


def parse_progress(progress: containers_pb.TaskProgress) -> TaskUpdate:
    """News of a task."""
    percent = progress.percent if progress.HasField("percent") else None
    return TaskUpdate(
        percent,
        progress.done,
        progress.succeeded,
        progress.exit_status,
        progress.result,
        progress.may_pass or progress.held_up,
        progress.reason,
    )


def parse_archive(archive: containers_pb.Archive) -> Archive:
    """An archive."""
    return Archive(archive.volume_id, archive.storage, archive.file_name, int(archive.size), archive.notes)
