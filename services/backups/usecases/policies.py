"""Policies of backups: reading and changing them, and the limits of policies of users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from services.backups.domain.policies import (
    BackupPolicy,
    PolicyScope,
    PolicySettings,
    check_scope,
    check_spread,
)
from services.backups.domain.policy_limits import PolicyLimits
from services.backups.domain.policy_store import Policies
from services.backups.usecases.context import BackupDependencies, BackupRequester
from services.backups.usecases.policy_checks import check_apps_and_storages


@dataclass(frozen=True, kw_only=True)
class PolicyChanges:
    """Settings of a policy that a request names, by name: its own, of the order, the retention and the scope."""

    settings: Mapping[str, Any]
    order: Mapping[str, str]
    retention: Mapping[str, int]
    scope: Mapping[str, Any]

    def apply(self, settings: PolicySettings) -> PolicySettings:
        """Return changed settings; a request that names `applies_to` replaces the whole scope.

        Raises:
            ScheduleInvalidError, RetentionInvalidError: they are not valid.
        """
        # Lists of the former kind would contradict the new one.
        scope = PolicyScope() if "applies_to" in self.scope else settings.scope
        return replace(
            settings,
            order=replace(settings.order, **self.order),
            retention=replace(settings.retention, **self.retention),
            scope=replace(scope, **self.scope),
            **self.settings,
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
    return policy, limits


async def update_backup_policy(
    dependencies: BackupDependencies, requester: BackupRequester, *, policy_id: int, changes: PolicyChanges
) -> tuple[BackupPolicy, PolicyLimits]:
    """Change the settings that a request names; apps and storages are checked where they or the retention change.

    Raises:
        PolicyNotFoundError: there is none that the requester may see.
        As `create_backup_policy`.
    """
    policies = dependencies.policies
    policy = await policies.get_policy(policy_id, owner_id=requester.owner_id)
    limits = await policies.get_limits()
    settings = changes.apply(policy.settings)
    places = (settings.scope, settings.order.storage, settings.second_storage, settings.retention)
    before = policy.settings
    # A policy that is renamed or paused must not fail because a host is silent.
    is_same = places == (before.scope, before.order.storage, before.second_storage, before.retention)
    await check_policy(
        dependencies,
        settings,
        owner_id=policy.owner_id,
        limits=limits,
        policy=policy,
        with_places=not is_same,
    )
    return await policies.update_policy(policy, settings), limits


async def delete_backup_policy(policies: Policies, requester: BackupRequester, *, policy_id: int) -> None:
    """Delete a policy; the backups that it made stay.

    Raises:
        PolicyNotFoundError: there is none that the requester may see.
    """
    await policies.delete_policy(policy_id, owner_id=requester.owner_id)


async def get_backup_policy_limits(policies: Policies) -> PolicyLimits:
    """Return what administrators allow in policies of users."""
    return await policies.get_limits()


async def update_backup_policy_limits(policies: Policies, changes: Mapping[str, Any]) -> PolicyLimits:
    """Change what is allowed in policies of users; those that exist stay as they are."""
    limits = replace(await policies.get_limits(), **changes)
    await policies.update_limits(limits)
    return limits


async def check_policy(
    dependencies: BackupDependencies,
    settings: PolicySettings,
    *,
    owner_id: int | None,
    limits: PolicyLimits,
    policy: BackupPolicy | None = None,
    with_places: bool = True,
) -> None:
    """Refuse settings that are wrong by themselves, beyond a user's limits, or not possible with apps and storages.

    Raises:
        As `create_backup_policy`.
    """
    if owner_id is not None:
        limits.check_allowed()
        limits.check_settings(settings)
    check_spread(settings)
    check_scope(settings.scope)
    if with_places:
        await check_apps_and_storages(dependencies, settings, owner_id=owner_id, policy=policy)
