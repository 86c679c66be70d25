"""protobuf of policies <-> domain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from proximity.backups.v1 import backups_service_pb2 as service_pb
from proximity.backups.v1 import policy_pb2 as pb

from services.backups.domain.archive_checks import VerifyFrequency
from services.backups.domain.entities import BackupOrder
from services.backups.domain.policies import (
    AppliesTo,
    BackupPolicy,
    PolicyScope,
    PolicySettings,
    RestoreTesting,
)
from services.backups.domain.policy_limits import PolicyLimitChanges, PolicyLimits
from services.backups.domain.retention import Retention
from services.backups.usecases.list_overdue_backups import OverdueBackup
from services.backups.usecases.policies import (
    OrderChanges,
    PolicyChanges,
    RetentionChanges,
    ScopeChanges,
    SettingsChanges,
)
from services.backups.usecases.preview_backup_policy import PolicyPreview
from services.common.rpc.handlers import parse_patch
from services.common.rpc.responses.rendered import render_time

_WINDOW_MINUTES = 15  # long enough that 50 apps do not ask Proxmox for an archive in the same minute
_LISTS = ("app_ids", "owner_ids", "excluded_app_ids")
_RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly")


V = TypeVar("V")


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
        jitter_minutes=request.jitter_minutes,
        second_storage=request.second_storage,
        test_restore=RestoreTesting(request.test_restore or RestoreTesting.NEVER),
        verify=VerifyFrequency(request.verify or VerifyFrequency.NEVER),
        retention=Retention(**{rule: getattr(request, f"keep_{rule}") for rule in _RULES}),
        scope=PolicyScope(
            applies_to=AppliesTo(request.applies_to or AppliesTo.APPS),
            app_ids=_unique(request.app_ids),
            owner_ids=_unique(request.owner_ids),
            excluded_app_ids=_unique(request.excluded_app_ids),
            new_apps=request.new_apps,
        ),
        enabled=request.enabled if request.HasField("enabled") else True,
    )


def parse_changes(request: pb.UpdateBackupPolicyRequest) -> PolicyChanges:
    """Parse the settings that a request changes."""
    # Lists have no presence: an empty one stays as it is.
    lists: dict[str, Any] = {name: _unique(getattr(request, name)) or None for name in _LISTS}
    applies_to = AppliesTo(request.applies_to) if request.HasField("applies_to") else None
    test_restore = RestoreTesting(request.test_restore) if request.HasField("test_restore") else None
    verify = VerifyFrequency(request.verify) if request.HasField("verify") else None
    return PolicyChanges(
        settings=parse_patch(request, SettingsChanges, test_restore=test_restore, verify=verify),
        order=parse_patch(request, OrderChanges),
        retention=parse_patch(request, RetentionChanges, names={rule: f"keep_{rule}" for rule in _RULES}),
        scope=parse_patch(request, ScopeChanges, applies_to=applies_to, **lists),
    )


def parse_limit_changes(request: pb.UpdateBackupPolicyLimitsRequest) -> PolicyLimitChanges:
    """Parse the limits that a request changes; `*` stands for every storage."""
    names = _unique(request.storages)
    storages = tuple(name for name in names if name != "*") if names else None
    return parse_patch(request, PolicyLimitChanges, storages=storages)


def render_limits(limits: PolicyLimits) -> pb.BackupPolicyLimits:
    """Render what is allowed in policies of users."""
    return pb.BackupPolicyLimits(**vars(limits))


def render_policy(policy: BackupPolicy, limits: PolicyLimits, *, now: datetime) -> pb.BackupPolicy:
    """Render a policy with its next run, or why it does nothing."""
    settings, scope = policy.settings, policy.settings.scope
    paused = limits.paused_reason if policy.owner_id is not None and settings.enabled else ""
    # A time that will not come about would mislead.
    works = settings.enabled and not paused
    next_run = settings.parse_schedule().find_next_slot(now) if works else None
    return pb.BackupPolicy(
        id=policy.id,
        name=settings.name,
        schedule=settings.schedule,
        time_zone=settings.time_zone,
        window_minutes=settings.window_minutes,
        backup_type=settings.order.backup_type,
        compression=settings.order.compression,
        storage=settings.order.storage,
        app_ids=scope.app_ids,
        applies_to=scope.applies_to.value,
        owner_ids=scope.owner_ids,
        excluded_app_ids=scope.excluded_app_ids,
        new_apps=scope.new_apps,
        jitter_minutes=settings.jitter_minutes,
        second_storage=settings.second_storage,
        test_restore=settings.test_restore.value,
        verify=settings.verify.value,
        owner_id=policy.owner_id,
        paused_reason=paused or None,
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


def render_policies(
    policies: Sequence[BackupPolicy], limits: PolicyLimits, *, now: datetime
) -> pb.ListBackupPoliciesResponse:
    """Render policies."""
    return pb.ListBackupPoliciesResponse(
        policies=[render_policy(policy, limits, now=now) for policy in policies], total=len(policies)
    )


def render_overdue(found: Sequence[OverdueBackup]) -> service_pb.ListOverdueBackupsResponse:
    """Render backups that are overdue."""
    return service_pb.ListOverdueBackupsResponse(
        overdue=[
            service_pb.OverdueBackup(
                app_id=one.app_id,
                policy_id=one.policy.id,
                policy_name=one.policy.settings.name,
                since=render_time(one.since),
            )
            for one in found
        ]
    )


def render_preview(preview: PolicyPreview) -> pb.BackupPolicyPreview:
    """Render a preview; runs as local times with their offset."""
    return pb.BackupPolicyPreview(
        time_zone=preview.time_zone,
        # As text with the offset: Timestamp has no zone, and the offset is what a change of the clock changes.
        next_runs=[run.isoformat() for run in preview.next_runs],
        apps=[
            pb.BackupPolicyApp(
                app_id=app.app_id,
                keeps=app.keeps,
                removes=app.removes,
                overdue_since=render_time(app.overdue_since),
                waiting_for=app.waiting_for or None,
            )
            for app in preview.apps
        ],
        warnings=preview.warnings,
    )


def _unique(values: Iterable[V]) -> tuple[V, ...]:
    return tuple(dict.fromkeys(values))
