"""Statistics of backups -> protobuf."""

from __future__ import annotations

from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.domain.statistics import BackupTotals, StorageForecast
from services.backups.usecases.get_backup_statistics import BackupStatistics
from services.common.rpc.responses.rendered import render_time


def render_statistics(found: BackupStatistics) -> pb.BackupStatistics:
    """Render totals, the largest apps first."""
    apps = sorted(found.apps.items(), key=lambda one: (-one[1].total_size, one[0]))
    return pb.BackupStatistics(
        all=_render_totals(found.all),
        apps=[
            pb.AppBackupStatistics(app_id=app_id, app_name=name, totals=_render_totals(totals))
            for (app_id, name), totals in apps
        ],
        policies=[
            pb.PolicyBackupStatistics(policy_id=policy_id, name=name, totals=_render_totals(totals))
            for (policy_id, name), totals in sorted(found.policies.items())
        ],
        storages=_render_storages(found),
    )


def _render_storages(found: BackupStatistics) -> list[pb.StorageBackupStatistics]:
    """Render storages with samples, and those of which there are only backups; a name on several nodes counts as one."""
    # Samples name nodes and backups do not: of a storage of every node each row shows all of its backups.
    sampled = {(host_id, storage) for host_id, storage, _ in found.forecasts}
    listed = []
    for (host_id, storage, node), forecast in found.forecasts.items():
        message = pb.StorageBackupStatistics(host_id=host_id, storage=storage, node=node)
        _add_forecast(message, forecast)
        if (host_id, storage) in found.storages:
            message.totals.CopyFrom(_render_totals(found.storages[host_id, storage]))
        listed.append(message)
    for (host_id, storage), totals in found.storages.items():
        if storage and (host_id, storage) not in sampled:
            rendered = _render_totals(totals)
            listed.append(pb.StorageBackupStatistics(host_id=host_id, storage=storage, totals=rendered))
    return sorted(listed, key=lambda one: (one.host_id, one.storage, one.node))


def _add_forecast(message: pb.StorageBackupStatistics, forecast: StorageForecast) -> None:
    message.used, message.total = forecast.newest.used, forecast.newest.total
    if forecast.growth_per_day is not None:
        # Absent and not 0: a storage of which too little is known is not one that does not grow.
        message.growth_per_day = round(forecast.growth_per_day)
    if forecast.full_on is not None:
        message.full_on = forecast.full_on.isoformat()


def _render_totals(totals: BackupTotals) -> pb.BackupTotals:
    return pb.BackupTotals(
        completed=totals.completed,
        failed=totals.failed,
        total_size=totals.total_size,
        average_size=round(totals.average_size),
        average_duration_s=totals.average_duration_s,
        newest_at=render_time(totals.newest_at),
    )
