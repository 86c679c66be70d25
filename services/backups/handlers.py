"""One method per RPC: parse, call one function, render."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from proximity.backups.v1 import backup_pb2
from proximity.backups.v1 import backups_service_pb2 as pb
from proximity.common.v1 import operation_pb2

from services.backups import convert
from services.backups.domain import removed_apps, usecases
from services.backups.domain.interfaces import Apps, BackupStore, Containers
from services.backups.domain.restore_backup import Neighbours, restore_backup
from services.common.operations.convert import render_operation
from services.common.rpc.call import Call
from services.common.rpc.responses.cache import VersionedLruCache
from services.common.rpc.responses.rendered import Form, Rendered, render


class BackupsHandlers:
    """BackupsService."""

    def __init__(self, store: BackupStore, apps: Apps, containers: Containers) -> None:
        self._store = store
        self._apps = apps
        self._containers = containers
        self._pages: VersionedLruCache[tuple[str, int | None, int, int, Form]] = VersionedLruCache()

    async def list_all_backups(
        self, request: pb.ListAllBackupsRequest, call: Call
    ) -> pb.ListAllBackupsResponse:
        page, per_page = convert.parse_page(request)
        total, found = await usecases.list_all_backups(
            self._store, convert.parse_filter(request, call), page=page, per_page=per_page
        )
        call.add_page_links(page=page, per_page=per_page, total=total)
        return pb.ListAllBackupsResponse(
            backups=[convert.render_backup(one) for one in found], total=total, page=page, per_page=per_page
        )

    async def list_backups(
        self, request: pb.ListBackupsRequest, call: Call
    ) -> Rendered[pb.ListBackupsResponse]:
        asker, (page, per_page) = convert.parse_asker(call), convert.parse_page(request)
        key = (request.app_id, asker.owner_id, page, per_page, call.form)
        offset = (page - 1) * per_page
        # Backups carry their owner, so apps is asked only where there are none.
        total, state = await self._store.find_page(
            request.app_id, owner_id=asker.owner_id, offset=offset, limit=per_page
        )
        kept = self._pages.find(key, state) if total else None
        if kept is None:
            total, backups = await usecases.list_backups(
                self._store, self._apps, asker, app_id=request.app_id, page=page, per_page=per_page
            )
            kept = self._pages.keep(key, state, render(convert.render_backups(backups, total), call.form))
        call.add_page_links(page=page, per_page=per_page, total=total)
        return Rendered(pb.ListBackupsResponse, kept)

    async def create_backup(self, request: pb.CreateBackupRequest, call: Call) -> pb.CreateBackupResponse:
        backup = await usecases.create_backup(
            self._store,
            self._apps,
            convert.parse_asker(call),
            app_id=request.app_id,
            order=convert.parse_order(request),
        )
        call.add_location(f"/api/apps/{request.app_id}/backups/{backup.id}")
        return pb.CreateBackupResponse(
            id=backup.id, status="creating", message=f"Backup {backup.id} of {request.app_id} is being made"
        )

    async def get_backup_stats(self, request: pb.GetBackupStatsRequest, call: Call) -> pb.BackupStats:
        stats = await usecases.get_backup_stats(
            self._store, self._apps, convert.parse_asker(call), app_id=request.app_id
        )
        return convert.render_stats(stats)

    async def get_backup(self, request: pb.GetBackupRequest, call: Call) -> backup_pb2.Backup:
        backup = await usecases.get_backup(self._store, key=convert.parse_key(request, call))
        return convert.render_backup(backup)

    async def update_backup(self, request: pb.UpdateBackupRequest, call: Call) -> backup_pb2.Backup:
        backup = await usecases.update_backup(
            self._store,
            self._containers,
            key=convert.parse_key(request, call),
            protected=request.protected if request.HasField("protected") else None,
            notes=request.notes if request.HasField("notes") else None,
        )
        return convert.render_backup(backup)

    async def restore_backup(self, request: pb.RestoreBackupRequest, call: Call) -> pb.RestoreBackupResponse:
        if request.HasField("new_hostname"):
            return await self._restore_beside(request, call)
        backup = await restore_backup(
            Neighbours(self._store, self._apps, self._containers),
            convert.parse_asker(call),
            key=convert.parse_key(request, call),
            lose_volumes=request.lose_volumes,
        )
        call.add_location(f"/api/apps/{request.app_id}/status")
        return pb.RestoreBackupResponse(
            backup_id=backup.id,
            application_id=request.app_id,
            status="restoring",
            message=f"Backup {backup.id} is being restored over {request.app_id}",
        )

    async def _restore_beside(self, request: pb.RestoreBackupRequest, call: Call) -> pb.RestoreBackupResponse:
        started = await usecases.restore_beside(
            self._store,
            self._apps,
            convert.parse_asker(call),
            key=convert.parse_key(request, call),
            new_hostname=request.new_hostname,
        )
        call.add_location(f"/api/apps/{started.app_id}/status")
        return pb.RestoreBackupResponse(
            backup_id=request.backup_id,
            application_id=started.app_id,
            status="restoring",
            message=started.message,
        )

    async def delete_backup(self, request: pb.DeleteBackupRequest, call: Call) -> pb.DeleteBackupResponse:
        backup = await usecases.delete_backup(
            self._store, convert.parse_asker(call), key=convert.parse_key(request, call)
        )
        call.add_location(f"/api/apps/{request.app_id}/backups/{backup.id}")
        return pb.DeleteBackupResponse(
            backup_id=backup.id, status="deleting", message=f"Backup {backup.id} is being deleted"
        )

    async def list_backup_dead_letters(
        self, request: pb.ListBackupDeadLettersRequest, call: Call
    ) -> pb.ListBackupDeadLettersResponse:
        page, per_page = convert.parse_page(request)
        total, found = await self._store.list_dead_letters(offset=(page - 1) * per_page, limit=per_page)
        call.add_page_links(page=page, per_page=per_page, total=total)
        return pb.ListBackupDeadLettersResponse(
            operations=[render_operation(one) for one in found], total=total, page=page, per_page=per_page
        )

    async def replay_backup_operation(
        self, request: pb.ReplayBackupOperationRequest, _: Call
    ) -> operation_pb2.Operation:
        return render_operation(await self._store.replay_operation(request.operation_id))


class BackupsInternalHandlers:
    """BackupsInternalService."""

    def __init__(self, store: BackupStore, apps: Apps) -> None:
        self._store = store
        self._apps = apps

    async def get_holding_operation(
        self, request: pb.GetHoldingOperationRequest, _: Call
    ) -> pb.HoldingOperation:
        return convert.render_standing(
            await usecases.get_holding_operation(self._store, request.operation_id)
        )

    async def cancel_holding_operation(
        self, request: pb.CancelHoldingOperationRequest, _: Call
    ) -> pb.HoldingOperation:
        return convert.render_standing(
            await usecases.cancel_holding_operation(self._store, request.operation_id)
        )

    async def create_held_backup(self, request: pb.CreateHeldBackupRequest, _: Call) -> pb.HeldBackup:
        backup = await usecases.create_held_backup(
            self._store,
            self._apps,
            app_id=request.app_id,
            operation_id=request.operation_id,
            notes=request.notes,
            requested_by=request.requested_by,
        )
        return convert.render_held(backup)

    async def count_backups(self, request: pb.CountBackupsRequest, _: Call) -> pb.CountBackupsResponse:
        counts = await removed_apps.count_backups(self._store, request.app_ids)
        return pb.CountBackupsResponse(
            apps=[
                pb.AppBackups(app_id=one.app_id, total=one.total, protected=one.protected) for one in counts
            ]
        )

    async def get_held_backup(self, request: pb.GetHeldBackupRequest, _: Call) -> pb.HeldBackup:
        return convert.render_held(await usecases.get_held_backup(self._store, request.operation_id))
