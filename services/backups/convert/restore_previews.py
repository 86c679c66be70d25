"""Previews of restores -> protobuf of BackupsService."""

from __future__ import annotations

from collections.abc import Sequence

from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.usecases.preview_restore import RestorePreview
from services.clients.inventory.archive_values import ContainerVolume
from services.clients.inventory.restore_plans import RestorePlacement
from services.common.rpc.responses.rendered import render_time


def render_restore_preview(preview: RestorePreview) -> pb.RestorePreview:
    """Render the preview of a restore over an app."""
    backup, app = preview.backup, preview.app
    return pb.RestorePreview(
        backup_id=backup.id,
        possible=not preview.obstacles,
        obstacles=preview.obstacles,
        stops_app=preview.stops_app,
        lxc_id=app.vmid if app else None,
        node=app.node if app else "",
        overwritten=_render_volumes(preview.volumes.overwritten),
        destroyed=_render_volumes(preview.volumes.destroyed),
        left_out=backup.left_out,
        has_archive=preview.has_archive,
        made_at=render_time(backup.created_at),
        restore_test=backup.restore_test.status.value,
        verification=backup.verification or None,
        archive_check=backup.archive_check.status.value,
        target=_render_target(preview.target) if preview.target else None,
    )


def _render_target(target: RestorePlacement) -> pb.RestoreTarget:
    return pb.RestoreTarget(
        host_id=target.host_id,
        host_name=target.host_name,
        node=target.node,
        archive=target.archive,
        storage=target.storage,
        required=target.required,
        free=target.free,
        volumes=target.volumes,
        networks=target.networks,
        warnings=target.warnings,
    )


def _render_volumes(volumes: Sequence[ContainerVolume]) -> list[pb.AppVolume]:
    return [pb.AppVolume(key=one.key, description=one.description) for one in volumes]
