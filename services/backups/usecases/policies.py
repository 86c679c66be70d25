"""Policies of backups: reading and changing them, and the limits of policies of users."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from services.backups.domain.archive_checks import VerifyFrequency
from services.backups.domain.errors import PolicyChangedError
from services.backups.domain.policies import (
    AppliesTo,
    BackupPolicy,
    PolicyScope,
    PolicySettings,
    RestoreTesting,
    check_scope,
    check_spread,
)
from services.backups.domain.policy_limits import PolicyLimitChanges, PolicyLimits
from services.backups.domain.policy_store import Policies
from services.backups.usecases.context import BackupDependencies, BackupRequester
from services.backups.usecases.policy_checks import check_apps_and_storages
from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.common.core.parsing import Patch

log = get_logger()

_ATTEMPTS = 5  # at a change while others are stored; each of them gives up only to one that was stored


@dataclass(frozen=True, kw_only=True)
class SettingsChanges(Patch):
    """Changes of the settings that are a policy's own."""

    name: str | None = None
    schedule: str | None = None
    time_zone: str | None = None
    window_minutes: int | None = None
    jitter_minutes: int | None = None
    second_storage: str | None = None
    test_restore: RestoreTesting | None = None
    verify: VerifyFrequency | None = None
    enabled: bool | None = None


@dataclass(frozen=True, kw_only=True)
class OrderChanges(Patch):
    """Changes of how a policy has backups made."""

    backup_type: str | None = None
    compression: str | None = None
    storage: str | None = None


@dataclass(frozen=True, kw_only=True)
class RetentionChanges(Patch):
    """Changes of the retention of a policy."""

    last: int | None = None
    hourly: int | None = None
    daily: int | None = None
    weekly: int | None = None
    monthly: int | None = None
    yearly: int | None = None


@dataclass(frozen=True, kw_only=True)
class ScopeChanges(Patch):
    """Changes of the selection of the apps of a policy."""

    applies_to: AppliesTo | None = None
    app_ids: tuple[str, ...] | None = None
    owner_ids: tuple[int, ...] | None = None
    excluded_app_ids: tuple[str, ...] | None = None
    new_apps: bool | None = None


@dataclass(frozen=True, kw_only=True)
class PolicyChanges:
    """Changes of a policy: of its own settings, of the order, the retention and the scope."""

    settings: SettingsChanges
    order: OrderChanges
    retention: RetentionChanges
    scope: ScopeChanges

    def apply_to(self, settings: PolicySettings) -> PolicySettings:
        """Return changed settings; a request that names `applies_to` replaces the whole scope.

        Raises:
            ScheduleInvalidError, RetentionInvalidError: they are not valid.
        """
        # Lists of the former kind would contradict the new one.
        scope = settings.scope if self.scope.applies_to is None else PolicyScope()
        return replace(
            settings,
            order=self.order.apply_to(settings.order),
            retention=self.retention.apply_to(settings.retention),
            scope=self.scope.apply_to(scope),
            **self.settings.given,
        )


async def list_backup_policies(
    policies: Policies, requester: BackupRequester
) -> tuple[Sequence[BackupPolicy], PolicyLimits]:
    """List the policies that the requester may see by name, and the limits of those of users."""
    return await policies.list_policies(owner_id=requester.owner_id), await policies.get_limits()


async def get_backup_policy(
    policies: Policies, requester: BackupRequester, *, policy_id: int
) -> tuple[BackupPolicy, PolicyLimits]:
    """Return one policy, and the limits of those of users.

    Raises:
        PolicyNotFoundError: there is none that the requester may see.
    """
    return await policies.get_policy(policy_id, owner_id=requester.owner_id), await policies.get_limits()


async def create_backup_policy(
    dependencies: BackupDependencies, requester: BackupRequester, *, settings: PolicySettings
) -> tuple[BackupPolicy, PolicyLimits]:
    """Add a policy: of the administrators, or of a user for own apps within the limits.

    Raises:
        ScheduleInvalidError, PolicyInvalidError: settings are wrong, an app does not exist, or a storage does not fit.
        PolicyHostSilentError: a host whose storages have to be checked does not answer.
        PoliciesOfUsersForbiddenError: administrators have not allowed them.
        PolicyNameTakenError, PolicyLimitError: as the store says.
    """
    limits = await dependencies.policies.get_limits()
    await check_policy(dependencies, settings, owner_id=requester.owner_id, limits=limits)
    # Administrators have no number of policies but the one of the platform.
    own_limits = None if requester.owner_id is None else limits
    policy = await dependencies.policies.add_policy(settings, owner_id=requester.owner_id, limits=own_limits)
    await _record_apps(dependencies, policy, limits=limits)
    return policy, limits


async def update_backup_policy(
    dependencies: BackupDependencies, requester: BackupRequester, *, policy_id: int, changes: PolicyChanges
) -> tuple[BackupPolicy, PolicyLimits]:
    """Change the settings that a request names; apps and storages are checked where they or the retention change.

    Of two requests at once the later one is applied to what the earlier one stored.

    Raises:
        PolicyNotFoundError: there is none that the requester may see.
        PolicyChangedError: other requests changed it at every attempt.
        As `create_backup_policy`.
    """
    for _ in range(_ATTEMPTS - 1):
        with suppress(PolicyChangedError):
            return await _change_policy(dependencies, requester, policy_id=policy_id, changes=changes)
    return await _change_policy(dependencies, requester, policy_id=policy_id, changes=changes)


async def _change_policy(
    dependencies: BackupDependencies, requester: BackupRequester, *, policy_id: int, changes: PolicyChanges
) -> tuple[BackupPolicy, PolicyLimits]:
    policies = dependencies.policies
    policy = await policies.get_policy(policy_id, owner_id=requester.owner_id)
    limits = await policies.get_limits()
    settings = changes.apply_to(policy.settings)
    await check_policy(dependencies, settings, owner_id=policy.owner_id, limits=limits, policy=policy)
    changed = await policies.update_policy(policy, settings)
    await _record_apps(dependencies, changed, limits=limits)
    return changed, limits


async def _record_apps(
    dependencies: BackupDependencies, policy: BackupPolicy, *, limits: PolicyLimits
) -> None:
    """Record which apps a policy is for from its change on.

    The worker does so too, but later: a slot in between would have no run, and none would be overdue while it stands still.
    """
    if not limits.lets_run(policy):
        return
    try:
        apps = await dependencies.apps.list_app_holds()
    except DomainError as error:
        log.warning("apps_of_policy_unknown", policy_id=policy.id, reason=error.message)
        return
    covered = [app.app_id for app in apps if policy.covers(app)]
    await dependencies.policies.add_runs(policy.id, covered, since=policy.updated_at)


async def delete_backup_policy(policies: Policies, requester: BackupRequester, *, policy_id: int) -> None:
    """Delete a policy; the backups that it made stay.

    Raises:
        PolicyNotFoundError: there is none that the requester may see.
    """
    await policies.delete_policy(policy_id, owner_id=requester.owner_id)


async def get_backup_policy_limits(policies: Policies) -> PolicyLimits:
    """Return what administrators allow in policies of users."""
    return await policies.get_limits()


async def update_backup_policy_limits(policies: Policies, changes: PolicyLimitChanges) -> PolicyLimits:
    """Change what is allowed in policies of users; those that exist stay as they are."""
    await policies.update_limits(changes)
    return await policies.get_limits()


async def check_policy(
    dependencies: BackupDependencies,
    settings: PolicySettings,
    *,
    owner_id: int | None,
    limits: PolicyLimits,
    policy: BackupPolicy | None = None,
) -> None:
    """Refuse settings that are wrong by themselves, beyond a user's limits, or not possible with apps and storages.

    Of a `policy` that is changed, what stays as it is stored is not checked again.

    Raises:
        As `create_backup_policy`.
    """
    before = None if policy is None else policy.settings
    # Limits may have been lowered, and named apps deleted: what exists can still be renamed and paused.
    if owner_id is not None and not (before and settings.asks_no_more_than(before)):
        limits.check_allowed()
        limits.check_settings(settings)
    check_spread(settings)
    if before is None or settings.scope != before.scope:
        check_scope(settings.scope)
    # A policy that is renamed or paused must not fail because a host is silent.
    if before is None or _list_places(settings) != _list_places(before):
        await check_apps_and_storages(dependencies, settings, owner_id=owner_id, policy=policy)


def _list_places(settings: PolicySettings) -> tuple[object, ...]:
    """List what decides whether hosts, storages and apps fit."""
    return settings.scope, settings.order.storage, settings.second_storage, settings.retention
