"""RestoreBackup: over the app, or beside it as a new app."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from services.backups.domain.entities import Backup
from services.backups.domain.interfaces import BackupKey
from services.backups.domain.preconditions import (
    check_on_host,
    check_restorable,
    check_volumes,
    describe_missing,
    find_storage,
    refuse_missing,
    refuse_removed,
)
from services.backups.usecases.beginnings import begin_in_apps, lock_and_start
from services.backups.usecases.context import BackupDependencies, BackupRequester
from services.backups.usecases.restore_target import check_beside_only, describe_new_app, plan_beside
from services.clients.apps.values import AppHold, NewAppAnswer
from services.clients.inventory.values import Ref
from services.common.core.errors import NotFoundError, UnavailableError


@dataclass(frozen=True)
class Restore:
    """A restore that was begun: the app that the archive goes into, and a message for its user."""

    backup_id: int
    app_id: str
    message: str


async def restore_backup(
    dependencies: BackupDependencies,
    requester: BackupRequester,
    *,
    key: BackupKey,
    new_hostname: str | None = None,
    lose_volumes: Collection[str] = (),
    safety: bool = True,
    node: str = "",
    host_id: int | None = None,
) -> Restore:
    """Begin to restore a backup over its app or, with a new hostname, as a new app beside it.

    With `safety`, a restore over the app makes a backup of it as it is first.

    Raises:
        BackupNotFoundError: there is none of this owner.
        BackupNotCompletedError: it has no archive.
        BackupInUseError: it is being deleted or restored.
        ArchiveGoneError: its archive is gone from the storage.
        BackupElsewhereError: over the app: its archive is on another host than the app.
        RestoreDestroysVolumesError: over the app: volumes are neither in the archive nor named by `lose_volumes`.
        AppRemovedError: over the app: the app was deleted.
        RestoreInvalidError: over the app: a node or host is named; beside it: there is no such host.
        RestoreTargetUnfitError: beside the app: its place does not see the archive, or the container does not fit.
        BusyError: the app is busy, or apps refuses the new app.
    """
    check_beside_only(new_hostname=new_hostname, node=node, host_id=host_id)
    if new_hostname is not None:
        return await _restore_beside(
            dependencies, requester, key=key, new_hostname=new_hostname, node=node, host_id=host_id
        )
    return await _restore_over(dependencies, requester, key=key, lose_volumes=lose_volumes, safety=safety)


async def _restore_over(
    dependencies: BackupDependencies,
    requester: BackupRequester,
    *,
    key: BackupKey,
    lose_volumes: Collection[str],
    safety: bool,
) -> Restore:
    """Mark the backup restoring, lock the app, and let a worker begin.

    A host that does not answer refuses nothing: the worker waits for it and checks the same before it stops the app.
    """
    store = dependencies.store
    backup = await store.get_backup(key)
    try:
        app = await dependencies.apps.get_app_hold(key.app_id, user_id=requester.owner_id)
    except NotFoundError:
        raise refuse_removed(backup) from None
    check_on_host(backup, app)
    # A repeated request is not checked again: the first one may have changed what is checked.
    if (await store.get_standing(requester.request_id)).status == "unknown":
        check_restorable(backup)
        await _check_proxmox(dependencies, backup, app=app, lose_volumes=lose_volumes)
    backup = await store.begin_restore(
        key,
        operation_id=requester.request_id,
        app=app,
        requested_by=requester.user.id,
        lose_volumes=lose_volumes,
        safety=safety,
    )
    await lock_and_start(
        dependencies,
        requester.request_id,
        app_id=key.app_id,
        kind="restore",
        user=requester.user,
        made_by=backup.mark,
    )
    return Restore(backup.id, key.app_id, f"Backup {backup.id} is being restored over {key.app_id}")


async def _check_proxmox(
    dependencies: BackupDependencies, backup: Backup, *, app: AppHold, lose_volumes: Collection[str]
) -> None:
    containers = dependencies.containers
    try:
        listing = await containers.list_archives(
            Ref(backup.host_id, backup.vmid, app.node), storage=find_storage(backup.volume_id)
        )
        # While a storage is silent, an archive on it is not missing.
        if listing.complete and all(one.volume_id != backup.volume_id for one in listing.archives):
            reason = describe_missing(backup.volume_id)
            await dependencies.store.note_presence([backup.id], present=False, error=reason)
            raise refuse_missing(backup)
        volumes = await containers.list_unarchived_volumes(
            Ref(app.host_id, app.vmid, app.node), owner=app.app_id, archive=backup.volume_id
        )
    except (UnavailableError, NotFoundError):
        return  # the worker waits for the host; a container that is gone has nothing to lose
    check_volumes(volumes, backup_id=backup.id, lose_volumes=lose_volumes)


async def _restore_beside(
    dependencies: BackupDependencies,
    requester: BackupRequester,
    *,
    key: BackupKey,
    new_hostname: str,
    node: str,
    host_id: int | None,
) -> Restore:
    """Have apps make a new app of the backup, which counts as being restored until that has ended."""
    store = dependencies.store
    backup = await store.get_backup(key)
    # A repeated request is not checked again: the first one has begun it.
    if (await store.get_standing(requester.request_id)).status == "unknown":
        check_restorable(backup)
    place = await plan_beside(dependencies, requester, backup=backup, node=node, host_id=host_id)
    place.check()
    backup = await store.begin_beside(key, operation_id=requester.request_id, requested_by=requester.user.id)
    order = describe_new_app(requester, backup=backup, new_hostname=new_hostname, place=place)

    async def begin() -> NewAppAnswer:
        return await dependencies.apps.restore_beside(order, user=requester.user)

    started = await begin_in_apps(store, requester.request_id, begin=begin)
    return Restore(key.backup_id, started.app_id, started.message)
