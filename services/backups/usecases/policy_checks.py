"""Checks of a policy against what exists: apps, users and the storages of their Proxmox hosts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.backups.domain.errors import PolicyHostSilentError
from services.backups.domain.policies import BackupPolicy, PolicyScope, PolicySettings, refuse_policy
from services.backups.domain.policy_storages import check_storage, list_retention_warnings
from services.backups.usecases.context import BackupDependencies
from services.clients.apps.values import AppHold
from services.clients.auth.lookup import has_user
from services.clients.inventory.archive_values import BackupStorage
from services.common.core.errors import DomainError, UnavailableError, Violation


async def check_apps_and_storages(
    dependencies: BackupDependencies,
    settings: PolicySettings,
    *,
    owner_id: int | None,
    policy: BackupPolicy | None = None,
) -> None:
    """Refuse a policy that names an app, user or storage that does not exist or fit.

    Args:
        dependencies: apps, accounts and Proxmox.
        settings: of the policy.
        owner_id: the user whose policy it is; None: the administrators'.
        policy: as it is stored, of a policy that is changed.

    Raises:
        PolicyInvalidError: at the field.
        PolicyHostSilentError: a host of its apps does not answer.
    """
    scope = settings.scope
    everything = await dependencies.apps.list_app_holds()
    known = {app.app_id for app in everything if owner_id in (None, app.owner_id)}
    # An app that was deleted, or a user who was removed, while the policy existed is no fault of the request.
    before = PolicyScope() if policy is None else policy.settings.scope
    former = {*before.app_ids, *before.excluded_app_ids}
    for field in ("app_ids", "excluded_app_ids"):
        unknown = [app_id for app_id in getattr(scope, field) if app_id not in known | former]
        if unknown:
            raise refuse_policy(field, f"there is no app {unknown[0]!r}; take it off the list")
    # A user who was removed would leave a policy that silently backs nothing up.
    for user_id in scope.owner_ids:
        if user_id not in before.owner_ids and not await has_user(dependencies.users, user_id):
            raise refuse_policy("owner_ids", f"there is no user {user_id}; take it off the list")
    since = policy.new_apps_since if policy else None
    covered = [app for app in everything if app.app_id in known and scope.selects(app, new_since=since)]
    await _check_storages(dependencies, settings, apps=covered)


async def list_storage_warnings(
    dependencies: BackupDependencies, settings: PolicySettings, *, apps: Sequence[AppHold]
) -> list[str]:
    """Describe storages on which Proxmox may refuse a backup of the policy, and hosts that do not tell theirs."""
    storages: dict[int, Sequence[BackupStorage]] = {}
    silent: list[str] = []
    for host_id in _list_hosts(apps):
        try:
            storages[host_id] = await dependencies.containers.list_backup_storages(host_id)
        except DomainError as error:
            silent.append(f"the storages of Proxmox host {host_id} are not known now: {error.message}")
    names = {name for name in (settings.order.storage, settings.second_storage) if name}
    limits = list_retention_warnings(
        storages, most_kept=settings.most_kept, names=names if settings.order.storage else ()
    )
    return [*silent, *limits]


async def _check_storages(
    dependencies: BackupDependencies, settings: PolicySettings, *, apps: Sequence[AppHold]
) -> None:
    named = {"storage": settings.order.storage, "second_storage": settings.second_storage}
    if named["storage"] and named["storage"] == named["second_storage"]:
        raise refuse_policy(
            "second_storage", f"{named['storage']!r} is the first storage as well; name another one"
        )
    if not any(named.values()) and not _names_apps(settings.scope):
        return  # whatever hosts there will be, each backup chooses a storage of its own
    field = next((field for field, name in named.items() if name), "app_ids")
    storages = {
        host_id: await _read_storages(dependencies, host_id, field=field) for host_id in _list_hosts(apps)
    }
    for name, storage in named.items():
        if storage:
            check_storage(name, storage, apps=apps, storages=storages, most_kept=settings.most_kept)
    if not named["storage"]:
        _check_any(apps, storages)


def _check_any(apps: Sequence[AppHold], storages: dict[int, Sequence[BackupStorage]]) -> None:
    """Refuse apps on a node without any storage for backups."""
    for app in apps:
        if not any(one.takes_backups and one.node == app.node for one in storages[app.host_id]):
            raise refuse_policy(
                "app_ids",
                f"the node {app.node} of Proxmox host {app.host_id}, which runs {app.app_id}, has no storage that takes "
                "backups; add the content type backup to one in Proxmox",
            )


async def _read_storages(
    dependencies: BackupDependencies, host_id: int, *, field: str
) -> Sequence[BackupStorage]:
    try:
        return await dependencies.containers.list_backup_storages(host_id)
    except UnavailableError as error:
        problem = (
            f"the Proxmox host {host_id} of the policy's apps does not answer, so its storages cannot be checked "
            f"({error.message}); try again when it does"
        )
        raise PolicyHostSilentError(f"{field}: {problem}", violations=[Violation(field, problem)]) from error


def _list_hosts(apps: Iterable[AppHold]) -> list[int]:
    return sorted({app.host_id for app in apps})


def _names_apps(scope: PolicyScope) -> bool:
    return bool(scope.app_ids)
