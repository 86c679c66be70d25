"""BackupsService: parse, call one use case, render."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from proximity.backups.v1 import backup_pb2
from proximity.backups.v1 import backups_service_pb2 as pb
from proximity.common.v1 import operation_pb2

from services.backups.convert import backups as convert
from services.backups.convert import restore_previews as convert_previews
from services.backups.handlers.policies import PolicyHandlers
from services.backups.usecases import backups, operations
from services.backups.usecases.check_backup import check_backup
from services.backups.usecases.context import BackupDependencies, BackupPage
from services.backups.usecases.create_backup import create_backup
from services.backups.usecases.preview_restore import preview_restore
from services.backups.usecases.restore_backup import restore_backup
from services.backups.usecases.test_backup import test_backup
from services.common.rpc.call import Call
from services.common.rpc.responses.rendered import Form, Rendered, VersionedLruCache, render, render_operation


class BackupsHandlers(PolicyHandlers):
    """BackupsService."""

    def __init__(self, dependencies: BackupDependencies) -> None:
        self._dependencies = dependencies
        self._store = dependencies.store
        # Open pages poll their lists, which change seldom: most answers are bytes that were rendered before.
        self._pages: VersionedLruCache[tuple[str, int | None, BackupPage, Form]] = VersionedLruCache()

    async def list_all_backups(
        self, request: pb.ListAllBackupsRequest, call: Call
    ) -> pb.ListAllBackupsResponse:
        page = convert.parse_page(request)
        total, found = await backups.list_all_backups(
            self._store, convert.parse_filter(request, call), page=page
        )
        last = found[-1].id if found else ""
        call.add_list_links(
            page=page.number, per_page=page.size, total=total, after=page.after, last=last, count=len(found)
        )
        return pb.ListAllBackupsResponse(
            backups=[convert.render_backup(one) for one in found],
            total=total,
            page=page.number,
            per_page=page.size,
        )

    async def list_backups(
        self, request: pb.ListBackupsRequest, call: Call
    ) -> Rendered[pb.ListBackupsResponse]:
        requester, page = convert.parse_requester(call), convert.parse_page(request)
        key = (request.app_id, requester.owner_id, page, call.form)
        total, ids, version = await backups.find_backups_version(
            self._store, requester, app_id=request.app_id, page=page
        )
        # Without backups the use case has to find out whether there is such an app.
        cached = self._pages.find(key, version) if total else None
        if cached is None:
            total, found = await backups.list_backups(
                self._dependencies, requester, app_id=request.app_id, page=page
            )
            cached = self._pages.keep(
                key, version, value=render(convert.render_backups(found, total), call.form)
            )
        call.add_list_links(
            page=page.number,
            per_page=page.size,
            total=total,
            after=page.after,
            last=ids[-1] if ids else "",
            count=len(ids),
        )
        return Rendered(pb.ListBackupsResponse, cached)

    async def create_backup(self, request: pb.CreateBackupRequest, call: Call) -> pb.CreateBackupResponse:
        backup = await create_backup(
            self._dependencies,
            convert.parse_requester(call),
            app_id=request.app_id,
            order=convert.parse_order(request),
        )
        call.add_location(f"/api/apps/{request.app_id}/backups/{backup.id}")
        return pb.CreateBackupResponse(
            id=backup.id, status="creating", message=f"Backup {backup.id} of {request.app_id} is being made"
        )

    async def get_backup_stats(self, request: pb.GetBackupStatsRequest, call: Call) -> pb.BackupStats:
        stats = await backups.get_backup_stats(
            self._dependencies, convert.parse_requester(call), app_id=request.app_id
        )
        return convert.render_stats(stats)

    async def get_backup(self, request: pb.GetBackupRequest, call: Call) -> backup_pb2.Backup:
        return convert.render_backup(
            await backups.get_backup(self._store, key=convert.parse_key(request, call))
        )

    async def update_backup(self, request: pb.UpdateBackupRequest, call: Call) -> backup_pb2.Backup:
        backup = await backups.update_backup(
            self._dependencies,
            key=convert.parse_key(request, call),
            protected=request.protected if request.HasField("protected") else None,
            notes=request.notes if request.HasField("notes") else None,
        )
        return convert.render_backup(backup)

    async def restore_backup(self, request: pb.RestoreBackupRequest, call: Call) -> pb.RestoreBackupResponse:
        restore = await restore_backup(
            self._dependencies,
            convert.parse_requester(call),
            key=convert.parse_key(request, call),
            new_hostname=request.new_hostname if request.HasField("new_hostname") else None,
            lose_volumes=request.lose_volumes,
            # On unless it is declined: it is the only way back from a restore.
            safety=request.safety_backup if request.HasField("safety_backup") else True,
            node=request.node,
            host_id=request.host_id if request.HasField("host_id") else None,
        )
        call.add_location(f"/api/apps/{restore.app_id}/status")
        return pb.RestoreBackupResponse(
            backup_id=restore.backup_id,
            application_id=restore.app_id,
            status="restoring",
            message=restore.message,
        )

    async def preview_restore(self, request: pb.PreviewRestoreRequest, call: Call) -> pb.RestorePreview:
        preview = await preview_restore(
            self._dependencies,
            convert.parse_requester(call),
            key=convert.parse_key(request, call),
            new_hostname=request.new_hostname if request.HasField("new_hostname") else None,
            node=request.node,
            host_id=request.host_id if request.HasField("host_id") else None,
        )
        return convert_previews.render_restore_preview(preview)

    async def test_backup(self, request: pb.TestBackupRequest, call: Call) -> pb.TestBackupResponse:
        backup = await test_backup(
            self._dependencies, convert.parse_requester(call), key=convert.parse_key(request, call)
        )
        call.add_location(f"/api/apps/{request.app_id}/backups/{backup.id}")
        return pb.TestBackupResponse(
            backup_id=backup.id,
            status="running",
            message=f"Backup {backup.id} is being restored into a test container on node {backup.restore_test.node}",
        )

    async def check_backup(self, request: pb.CheckBackupRequest, call: Call) -> pb.CheckBackupResponse:
        backup = await check_backup(
            self._dependencies, convert.parse_requester(call), key=convert.parse_key(request, call)
        )
        call.add_location(f"/api/apps/{request.app_id}/backups/{backup.id}")
        return pb.CheckBackupResponse(
            backup_id=backup.id,
            status="running",
            message=f"The archive of backup {backup.id} is read on its node",
        )

    async def delete_backup(self, request: pb.DeleteBackupRequest, call: Call) -> pb.DeleteBackupResponse:
        backup = await backups.delete_backup(
            self._store, convert.parse_requester(call), key=convert.parse_key(request, call)
        )
        call.add_location(f"/api/apps/{request.app_id}/backups/{backup.id}")
        return pb.DeleteBackupResponse(
            backup_id=backup.id, status="deleting", message=f"Backup {backup.id} is being deleted"
        )

    async def list_backup_dead_letters(
        self, request: pb.ListBackupDeadLettersRequest, call: Call
    ) -> pb.ListBackupDeadLettersResponse:
        page = convert.parse_operation_page(request)
        total, found = await operations.list_backup_dead_letters(self._store, page=page)
        call.add_list_links(
            page=page.number,
            per_page=page.size,
            total=total,
            after=page.after,
            last=found[-1].id if found else "",
            count=len(found),
        )
        return pb.ListBackupDeadLettersResponse(
            operations=[render_operation(one) for one in found],
            total=total,
            page=page.number,
            per_page=page.size,
        )

    async def replay_backup_operation(
        self, request: pb.ReplayBackupOperationRequest, _: Call
    ) -> operation_pb2.Operation:
        return render_operation(await operations.replay_backup_operation(self._store, request.operation_id))
