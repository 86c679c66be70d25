"""Backups over gRPC: `Backups` of `interface`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any

from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from proximity.backups.v1 import backups_service_pb2 as pb
from proximity.backups.v1.backups_service_pb2_grpc import BackupsInternalServiceStub

from services.clients.backups.values import (
    AppBackupCount,
    AppBackups,
    ExportableArchive,
    HeldBackup,
    LastBackup,
    OverdueRun,
)
from services.common.rpc.client import Clients

_BACKUP_S = 10.0  # backups calls apps before it answers
_COUNT_S = 3.0  # a list of apps is shown without counts rather than late
_ARCHIVES_S = 20.0  # a person waits for it
_STANDING_S = 5.0  # a read of one row


class GrpcBackups:
    """Backups on the wire."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def create_held_backup(
        self, app_id: str, operation_id: str, *, notes: str, requested_by: int
    ) -> HeldBackup:
        """See `Backups.create_held_backup`."""
        request = pb.CreateHeldBackupRequest(
            app_id=app_id, operation_id=operation_id, notes=notes, requested_by=requested_by
        )
        return _parse_backup(await self._call("CreateHeldBackup", request, timeout=_BACKUP_S))

    async def get_held_backup(self, operation_id: str) -> HeldBackup:
        """See `Backups.get_held_backup`."""
        request = pb.GetHeldBackupRequest(operation_id=operation_id)
        return _parse_backup(await self._call("GetHeldBackup", request, timeout=_BACKUP_S))

    async def count_backups(
        self, app_ids: Sequence[str], *, operation_ids: Sequence[str] = ()
    ) -> dict[str, AppBackupCount]:
        """See `Backups.count_backups`."""
        request = pb.CountBackupsRequest(app_ids=app_ids, operation_ids=operation_ids)
        answer = await self._call("CountBackups", request, timeout=_COUNT_S, retry=False)
        return {one.app_id: _parse_count(one) for one in answer.apps}

    async def find_exportable_backup(self, app_id: str, *, backup_id: int | None = None) -> AppBackups:
        """See `Backups.find_exportable_backup`."""
        request = pb.FindExportableBackupRequest(app_id=app_id, backup_id=backup_id)
        # It lists the archives on the storages, some of which are slow.
        answer = await self._call("FindExportableBackup", request, timeout=_ARCHIVES_S)
        archive = _parse_archive(answer.backup) if answer.HasField("backup") else None
        return AppBackups(archive, tuple(answer.policies))

    async def list_overdue_backups(self) -> list[OverdueRun]:
        """See `Backups.list_overdue_backups`."""
        answer = await self._call("ListOverdueBackups", Empty(), timeout=_BACKUP_S)
        return [OverdueRun(one.app_id, one.policy_name, one.since.ToDatetime(UTC)) for one in answer.overdue]

    async def cancel_holding_operation(self, operation_id: str) -> str:
        """See `Backups.cancel_holding_operation`."""
        request = pb.CancelHoldingOperationRequest(operation_id=operation_id)
        return str((await self._call("CancelHoldingOperation", request, timeout=_STANDING_S)).status)

    async def get_holding_operation(self, operation_id: str) -> str:
        """See `Backups.get_holding_operation`."""
        request = pb.GetHoldingOperationRequest(operation_id=operation_id)
        return str((await self._call("GetHoldingOperation", request, timeout=_STANDING_S)).status)

    async def _call(self, method: str, request: Message, *, timeout: float, retry: bool = True) -> Any:
        return await self._clients.call(
            "backups",
            BackupsInternalServiceStub,
            method=method,
            request=request,
            timeout=timeout,
            retry=retry,
        )


def _parse_count(one: pb.AppBackups) -> AppBackupCount:
    # A release before counts no completed ones: all of them are taken for completed.
    completed = one.completed if one.HasField("completed") else one.total
    last = None
    if one.HasField("last_id") and one.HasField("last_completed_at"):
        last = LastBackup(one.last_id, one.last_completed_at.ToDatetime(UTC))
    external = None
    if one.HasField("external_at"):
        external = LastBackup(None, one.external_at.ToDatetime(UTC), one.external_storage)
    return AppBackupCount(
        one.total, one.protected, completed, last, frozenset(one.restorable), external=external
    )


def _parse_backup(answer: pb.HeldBackup) -> HeldBackup:
    return HeldBackup(
        answer.id, answer.status, answer.progress, answer.error, answer.archive, is_broken=answer.broken
    )


def _parse_archive(one: pb.ExportableBackup) -> ExportableArchive:
    return ExportableArchive(
        id=one.id,
        host_id=one.host_id,
        vmid=one.vmid,
        storage=one.storage,
        volume_id=one.volume_id,
        file_name=one.file_name,
        size=int(one.size),
        completed_at=one.completed_at.ToDatetime(UTC),
        protected=one.protected,
        encrypted=one.encrypted,
        verification=one.verification,
        restore_test=one.restore_test,
        left_out=tuple(one.left_out),
        made_by=one.made_by,
        images={image.image: image.image_id for image in one.images},
        seen=one.seen,
    )
