"""Backups of exported apps on the wire."""

from __future__ import annotations

from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.entities import Backup
from services.backups.usecases.find_exportable_backup import Exportable
from services.common.rpc.responses.rendered import render_time


def render_exportable(found: Exportable) -> pb.FindExportableBackupResponse:
    """Render the backup of an export, and the policies of the app."""
    backup = None if found.backup is None else _render_backup(found.backup, seen=found.seen)
    return pb.FindExportableBackupResponse(backup=backup, policies=found.policies)


def _render_backup(backup: Backup, *, seen: bool) -> pb.ExportableBackup:
    contents = backup.recorded.contents if backup.recorded else None
    images = {one.image: one.image_id for one in contents.containers} if contents else {}
    return pb.ExportableBackup(
        id=backup.id,
        host_id=backup.host_id,
        vmid=backup.vmid,
        storage=backup.storage,
        volume_id=backup.volume_id,
        file_name=backup.file_name,
        size=backup.size,
        completed_at=render_time(backup.completed_at),
        protected=backup.protected,
        encrypted=backup.encrypted,
        verification=backup.verification,
        restore_test=backup.restore_test.status.value,
        left_out=backup.left_out,
        made_by=backup.mark,
        images=[pb.ExportedImage(image=name, image_id=images[name]) for name in sorted(images)],
        seen=seen,
    )
