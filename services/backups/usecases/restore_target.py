"""Place of a restore beside: on the host of the backup, or on another one that sees its archive."""

from __future__ import annotations

from services.backups.domain.entities import Backup
from services.backups.domain.errors import RestoreInvalidError
from services.backups.usecases.context import BackupDependencies, BackupRequester
from services.clients.apps.values import RestoreBesideOrder
from services.clients.inventory.restore_plans import RestoreOrder, RestorePlacement
from services.common.core.errors import NotFoundError, Violation


def check_beside_only(*, new_hostname: str | None, node: str, host_id: int | None) -> None:
    """Refuse the place of a new app for a restore over the app.

    Raises:
        RestoreInvalidError: naming the field.
    """
    if new_hostname is not None:
        return
    for field, value in (("node", node), ("host_id", host_id)):
        if value:
            problem = f"{value!r} is for a restore as a new app: name a new_hostname too, or migrate the app"
            raise RestoreInvalidError(f"{field}: {problem}", violations=[Violation(field, problem)])


async def plan_beside(
    dependencies: BackupDependencies,
    requester: BackupRequester,
    *,
    backup: Backup,
    node: str = "",
    host_id: int | None = None,
) -> RestorePlacement:
    """Plan a new app made of a backup; on the backup's host preferably on the node of the old one.

    Raises:
        RestoreInvalidError: there is no such host.
        UnavailableError: the host does not answer.
    """
    preferred, storage = "", ""
    try:
        app = await dependencies.apps.get_app_hold(backup.app_id, user_id=requester.owner_id)
    # A deleted app leaves its backups: then nothing is preferred.
    except NotFoundError:
        pass
    else:
        storage = app.storage
        preferred = app.node if app.host_id == (host_id or backup.host_id) else ""
    order = RestoreOrder(
        source_host_id=backup.host_id,
        archive=backup.volume_id,
        backup_id=backup.mark,
        size=backup.size,
        host_id=host_id or backup.host_id,
        node=node,
        preferred_node=preferred,
        storage=storage,
    )
    try:
        return await dependencies.containers.plan_restore(order)
    except NotFoundError as error:
        problem = f"there is no Proxmox host {order.host_id}"
        raise RestoreInvalidError(
            f"host_id: {problem}", violations=[Violation("host_id", problem)]
        ) from error


def describe_new_app(
    requester: BackupRequester, *, backup: Backup, new_hostname: str, place: RestorePlacement
) -> RestoreBesideOrder:
    """Return the new app to make of a backup in a place."""
    return RestoreBesideOrder(
        requester.request_id,
        backup.app_id,
        backup.volume_id,
        new_hostname,
        made_by=backup.mark,
        host_id=backup.host_id,
        vmid=backup.vmid,
        owner_id=backup.owner_id,
        node=place.node,
        target_host_id=place.host_id,
        target_archive=place.archive,
        archive_size=backup.size,
    )
