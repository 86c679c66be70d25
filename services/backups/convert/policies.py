"""protobuf of policies <-> domain."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from proximity.backups.v1 import policy_pb2 as pb

from services.backups.domain.entities import BackupOrder
from services.backups.domain.policies import BackupPolicy, PolicySettings
from services.backups.domain.retention import Retention
from services.backups.usecases.policies import PolicyPreview
from services.common.core.timestamps import render_time

_WINDOW_MINUTES = 15  # long enough that 50 apps do not ask Proxmox for an archive in the same minute
_RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly")


def parse_settings(request: pb.CreateBackupPolicyRequest) -> PolicySettings:
    """Parse a new policy, with the defaults."""
    return PolicySettings(
        name=request.name,
        schedule=request.schedule.strip(),
        time_zone=request.time_zone or "UTC",
        window_minutes=request.window_minutes if request.HasField("window_minutes") else _WINDOW_MINUTES,
        order=BackupOrder(
            backup_type=request.backup_type or "snapshot",
            compression=request.compression or "zstd",
            storage=request.storage,
        ),
        retention=Retention(**{rule: getattr(request, f"keep_{rule}") for rule in _RULES}),
        app_ids=tuple(dict.fromkeys(request.app_ids)),
        enabled=request.enabled if request.HasField("enabled") else True,
    )


def parse_changes(request: pb.UpdateBackupPolicyRequest) -> dict[str, Any]:
    """Parse the settings that a request changes, without those of the retention."""
    given = {field.name: value for field, value in request.ListFields()}
    changes = {name: given[name] for name in ("name", "schedule", "time_zone", "enabled") if name in given}
    return changes | ({"app_ids": tuple(dict.fromkeys(request.app_ids))} if request.app_ids else {})


def parse_keeps(request: pb.UpdateBackupPolicyRequest) -> dict[str, int]:
    """Parse the rules of the retention that a request changes."""
    given = {field.name: value for field, value in request.ListFields()}
    return {rule: given[f"keep_{rule}"] for rule in _RULES if f"keep_{rule}" in given}


def render_policy(policy: BackupPolicy, now: datetime) -> pb.BackupPolicy:
    """Render a policy with its next run."""
    settings = policy.settings
    next_run = settings.parse_schedule().find_next_slot(now) if settings.enabled else None
    return pb.BackupPolicy(
        id=policy.id,
        name=settings.name,
        schedule=settings.schedule,
        time_zone=settings.time_zone,
        window_minutes=settings.window_minutes,
        backup_type=settings.order.backup_type,
        compression=settings.order.compression,
        storage=settings.order.storage,
        app_ids=settings.app_ids,
        enabled=settings.enabled,
        created_at=render_time(policy.created_at),
        updated_at=render_time(policy.updated_at),
        next_run_at=render_time(next_run),
        keep_last=settings.retention.last,
        keep_hourly=settings.retention.hourly,
        keep_daily=settings.retention.daily,
        keep_weekly=settings.retention.weekly,
        keep_monthly=settings.retention.monthly,
        keep_yearly=settings.retention.yearly,
    )


def render_policies(policies: Sequence[BackupPolicy], now: datetime) -> pb.ListBackupPoliciesResponse:
    """Render all policies."""
    return pb.ListBackupPoliciesResponse(
        policies=[render_policy(policy, now) for policy in policies], total=len(policies)
    )


def render_preview(preview: PolicyPreview) -> pb.BackupPolicyPreview:
    """Render a preview; runs as local times with their offset."""
    return pb.BackupPolicyPreview(
        time_zone=preview.time_zone,
        next_runs=[run.isoformat() for run in preview.next_runs],
        apps=[
            pb.BackupPolicyApp(
                app_id=app.app_id,
                keeps=app.keeps,
                removes=app.removes,
                overdue_since=render_time(app.overdue_since),
            )
            for app in preview.apps
        ],
    )
