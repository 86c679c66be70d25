"""PreviewRestore: what a restore over the app would overwrite and destroy, and what stands in its way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from services.backups.domain.entities import Backup
from services.backups.domain.interfaces import BackupKey
from services.backups.domain.preconditions import (
    check_on_host,
    check_restorable,
    find_storage,
    refuse_busy,
    refuse_missing,
    refuse_removed,
)
from services.backups.usecases.context import BackupDependencies, BackupRequester
from services.backups.usecases.restore_target import check_beside_only, describe_new_app, plan_beside
from services.clients.apps.values import AppHold
from services.clients.inventory.archive_values import VolumeComparison
from services.clients.inventory.restore_plans import RestorePlacement
from services.clients.inventory.values import Ref
from services.common.core.errors import DomainError, NotFoundError, UnavailableError


@dataclass(frozen=True, kw_only=True)
class RestorePreview:
    """Preview of a restore over the app, or beside it as a new app.

    Attributes:
        app: None when it was deleted.
        obstacles: why it is not possible now; empty: it is.
        stops_app: whether the app runs and is stopped for it.
        volumes: of the app's container.
        has_archive: whether the archive is on its storage; None when a storage does not answer.
        target: place of the new app, of a restore beside.
    """

    backup: Backup
    app: AppHold | None = None
    obstacles: tuple[str, ...] = ()
    stops_app: bool = False
    volumes: VolumeComparison = field(default_factory=VolumeComparison)
    has_archive: bool | None = None
    target: RestorePlacement | None = None


async def preview_restore(
    dependencies: BackupDependencies,
    requester: BackupRequester,
    *,
    key: BackupKey,
    new_hostname: str | None = None,
    node: str = "",
    host_id: int | None = None,
) -> RestorePreview:
    """Compare a backup with its app as it is now, or with a new_hostname with the place of the new app.

    Nothing is changed.

    Raises:
        BackupNotFoundError: there is none of this owner.
        RestoreInvalidError: over the app: a node or host is named; beside it: there is no such host.
        UnavailableError: beside the app: the host does not answer.
    """
    check_beside_only(new_hostname=new_hostname, node=node, host_id=host_id)
    backup = await dependencies.store.get_backup(key)
    obstacles: list[str] = []
    # Collected and not raised: a person is to see everything that stands in the way at once.
    try:
        check_restorable(backup)
    except DomainError as error:
        obstacles.append(error.message)
    if new_hostname is None:
        return await _preview_over(dependencies, requester, backup=backup, obstacles=obstacles)
    target = None
    if backup.volume_id:
        target = await plan_beside(dependencies, requester, backup=backup, node=node, host_id=host_id)
        obstacles += await _find_refusals(
            dependencies, requester, backup=backup, new_hostname=new_hostname, place=target
        )
    return RestorePreview(
        backup=backup,
        obstacles=tuple(obstacles),
        has_archive=bool(target and target.archive),
        target=target,
    )


async def _find_refusals(
    dependencies: BackupDependencies,
    requester: BackupRequester,
    *,
    backup: Backup,
    new_hostname: str,
    place: RestorePlacement,
) -> list[str]:
    """Return why the place, or apps, would refuse the new app."""
    found = []
    try:
        place.check()
    except DomainError as error:
        found.append(error.message)
        place = replace(place, node="")  # apps would refuse an offline node once more
    order = describe_new_app(requester, backup=backup, new_hostname=new_hostname, place=place)
    try:
        found += await dependencies.apps.check_restore_beside(order, user=requester.user)
    except DomainError as error:
        found.append(error.message)
    return found


async def _preview_over(
    dependencies: BackupDependencies, requester: BackupRequester, *, backup: Backup, obstacles: list[str]
) -> RestorePreview:
    """Compare a backup with its app as it is now."""
    has_archive = await _has_archive(dependencies, backup)
    if has_archive is False and not obstacles:
        obstacles.append(refuse_missing(backup).message)
    try:
        app = await dependencies.apps.get_app_hold(backup.app_id, user_id=requester.owner_id)
    except NotFoundError:
        obstacles.append(refuse_removed(backup).message)
        return RestorePreview(backup=backup, obstacles=tuple(obstacles), has_archive=has_archive)
    if app.obstacle:
        standing = await dependencies.store.get_standing(app.operation_id)
        own = standing.status == "unfinished"  # such a one is refused before apps is called
        obstacles.append(refuse_busy(backup.app_id).message if own else app.obstacle)
    try:
        check_on_host(backup, app)
        volumes = await _compare(dependencies, backup, app=app)
    except DomainError as error:
        obstacles.append(error.message)
        volumes = VolumeComparison()
    return RestorePreview(
        backup=backup,
        app=app,
        obstacles=tuple(obstacles),
        stops_app=app.status == "running",
        volumes=volumes,
        has_archive=has_archive,
    )


async def _has_archive(dependencies: BackupDependencies, backup: Backup) -> bool | None:
    if not backup.volume_id:
        return False
    try:
        listing = await dependencies.containers.list_archives(
            Ref(backup.host_id, backup.vmid), storage=find_storage(backup.volume_id)
        )
    except UnavailableError:
        return None
    # A storage that is away is no obstacle of a preview: the restore itself waits for it.
    if any(one.volume_id == backup.volume_id for one in listing.archives):
        return True
    return False if listing.complete else None


async def _compare(dependencies: BackupDependencies, backup: Backup, *, app: AppHold) -> VolumeComparison:
    try:
        return await dependencies.containers.compare_volumes(
            Ref(app.host_id, app.vmid, app.node), owner=app.app_id, archive=backup.volume_id
        )
    except NotFoundError:
        return VolumeComparison()  # the container, or the archive, is gone: nothing is overwritten
