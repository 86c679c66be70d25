"""BackupsInternalService: parse, call one use case, render."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from google.protobuf import empty_pb2
from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.convert import backups as convert
from services.backups.convert.exports import render_exportable
from services.backups.convert.policies import render_overdue
from services.backups.usecases import backups, create_backup, operations
from services.backups.usecases.context import BackupDependencies
from services.backups.usecases.find_exportable_backup import find_exportable_backup
from services.backups.usecases.list_overdue_backups import list_overdue_backups
from services.common.core.clock import now
from services.common.rpc.call import Call


class BackupsInternalHandlers:
    """BackupsInternalService."""

    def __init__(self, dependencies: BackupDependencies) -> None:
        self._dependencies = dependencies
        self._store = dependencies.store

    async def get_holding_operation(
        self, request: pb.GetHoldingOperationRequest, _: Call
    ) -> pb.HoldingOperation:
        return convert.render_standing(
            await operations.get_holding_operation(self._store, request.operation_id)
        )

    async def cancel_holding_operation(
        self, request: pb.CancelHoldingOperationRequest, _: Call
    ) -> pb.HoldingOperation:
        return convert.render_standing(
            await operations.cancel_holding_operation(self._store, request.operation_id)
        )

    async def create_held_backup(self, request: pb.CreateHeldBackupRequest, _: Call) -> pb.HeldBackup:
        backup = await create_backup.create_held_backup(
            self._dependencies,
            app_id=request.app_id,
            operation_id=request.operation_id,
            notes=request.notes,
            requested_by=request.requested_by,
        )
        return convert.render_held_backup(backup)

    async def get_held_backup(self, request: pb.GetHeldBackupRequest, _: Call) -> pb.HeldBackup:
        return convert.render_held_backup(
            await create_backup.get_held_backup(self._store, request.operation_id)
        )

    async def list_overdue_backups(self, _: empty_pb2.Empty, __: Call) -> pb.ListOverdueBackupsResponse:
        return render_overdue(await list_overdue_backups(self._dependencies.policies, now=now()))

    async def find_exportable_backup(
        self, request: pb.FindExportableBackupRequest, _: Call
    ) -> pb.FindExportableBackupResponse:
        found = await find_exportable_backup(
            self._dependencies,
            request.app_id,
            backup_id=request.backup_id if request.HasField("backup_id") else None,
        )
        return render_exportable(found)

    async def count_backups(self, request: pb.CountBackupsRequest, _: Call) -> pb.CountBackupsResponse:
        return convert.render_counts(
            await backups.count_backups(
                self._dependencies, request.app_ids, operation_ids=request.operation_ids
            )
        )
