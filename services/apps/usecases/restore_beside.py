"""RestoreBeside: make a new app of a backup, beside its app or after that was removed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Protocol

from services.apps.domain.deployment import find_place
from services.apps.domain.entities import App
from services.apps.domain.errors import AppNotFoundError
from services.apps.usecases.clone_app import CopiedArchive, copy_app, require_copyable
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.new_app_checks import find_refusals
from services.clients.auth.lookup import has_user
from services.clients.inventory.values import Wanted
from services.common.core.clock import now
from services.common.core.errors import DomainError, InvalidError, PreconditionError, UnavailableError


@dataclass(frozen=True, kw_only=True)
class BackedUpApp:
    """A backup and what it says of its app.

    Attributes:
        archive: Proxmox's name of it.
        made_by: the operation that made it, which tells the version of the app that is in it.
        host_id: where the archive is; 0 where an older release of backups asks.
        owner_id: who owns the backup, and so the new app when the old one is gone.
        node: for the new app; empty: that of the old one.
        target_host_id, target_archive: host for the new app, and the archive as it names it; 0: that of the backup.
        archive_size: bytes; 0: not known.
    """

    app_id: str
    archive: str
    made_by: str = ""
    host_id: int = 0
    vmid: int = 0
    owner_id: int = 0
    node: str = ""
    target_host_id: int = 0
    target_archive: str = ""
    archive_size: float = 0


class MakeBeside(Protocol):
    """The use case of RestoreBeside and of RestoreElsewhere."""

    async def __call__(
        self, dependencies: AppDependencies, backup: BackedUpApp, *, requester: Requester, hostname: str
    ) -> App:
        """Record a new app made of a backup, and its operation."""


async def restore_beside(
    dependencies: AppDependencies, backup: BackedUpApp, *, requester: Requester, hostname: str
) -> App:
    """Record a new app made of a backup, and its operation.

    Raises:
        AppNotFoundError: the app is gone, and neither it nor its backup says enough.
        AppStateError: the app has no container.
        HostnameTakenError: another app has the hostname.
        QuotaExceededError: the owner's apps would take too much together.
        InvalidError: the host has no such node.
        PreconditionError: the node is down.
    """
    source = await _find_source(dependencies, backup, requester=requester)
    archive = CopiedArchive(
        volume_id=backup.target_archive or backup.archive,
        source_host_id=backup.host_id or source.host_id,
        source_volume_id=backup.archive,
        backup_id=backup.made_by,
        size=backup.archive_size,
    )
    return await copy_app(dependencies, source, requester=requester, hostname=hostname, archive=archive)


async def restore_elsewhere(
    dependencies: AppDependencies, backup: BackedUpApp, *, requester: Requester, hostname: str
) -> App:
    """RestoreElsewhere: restore_beside on another Proxmox host than that of the backup."""
    return await restore_beside(dependencies, backup, requester=requester, hostname=hostname)


async def check_restore_beside(
    dependencies: AppDependencies, backup: BackedUpApp, *, requester: Requester, hostname: str
) -> tuple[str, ...]:
    """Return why restore_beside would be refused now; nothing is recorded.

    Raises:
        UnavailableError: another service does not answer.
    """
    try:
        source = await _find_source(dependencies, backup, requester=requester)
        require_copyable(source)
    except UnavailableError:
        raise
    except DomainError as error:
        return (error.message,)
    found = await find_refusals(
        dependencies.store,
        dependencies.quotas,
        hostname=hostname,
        owner_id=source.owner_id,
        config=source.config,
    )
    return tuple(error.message for error in found)


async def _find_source(dependencies: AppDependencies, backup: BackedUpApp, *, requester: Requester) -> App:
    """Return the app that is copied, as it was in its backup, in the place of the new app."""
    try:
        await dependencies.store.get_app(backup.app_id)
    except AppNotFoundError:
        # A removed app may name a node or an owner that is gone.
        source = await _find_removed(dependencies, backup, requester=requester)
    else:
        source = await dependencies.store.get_app_of_backup(backup.app_id, backup.made_by)
    if not backup.node:
        return source
    wanted = Wanted(host_id=backup.target_host_id or source.host_id, node=backup.node)
    place = await find_place(dependencies.containers, wanted)
    return dataclasses.replace(source, host_id=place.host_id, node=place.node)


async def _find_removed(dependencies: AppDependencies, backup: BackedUpApp, *, requester: Requester) -> App:
    """An app that was removed, as it was in its backup, on a node that is there, owned by somebody who is there."""
    try:
        source = await dependencies.store.get_app_of_backup(backup.app_id, backup.made_by)
    except AppNotFoundError:
        # Backups of earlier releases does not say where the archive is.
        if not backup.host_id:
            raise
        source = _describe_unknown(backup)
    owner_id = backup.owner_id or source.owner_id
    if requester.user_id is not None and not await has_user(dependencies.users, owner_id):
        owner_id = requester.user_id
    node = backup.node or await _find_node(dependencies, source)
    return dataclasses.replace(source, owner_id=owner_id, node=node)


async def _find_node(dependencies: AppDependencies, source: App) -> str:
    """The app's former node, or another one of its host when that is gone or down."""
    if source.node:
        try:
            return (
                await dependencies.containers.place_container(
                    Wanted(host_id=source.host_id, node=source.node)
                )
            ).node
        except (InvalidError, PreconditionError):
            pass
    return (await find_place(dependencies.containers, Wanted(host_id=source.host_id))).node


def _describe_unknown(backup: BackedUpApp) -> App:
    """An app of which only its backup is left: what runs in it is not managed, like that of an adopted container."""
    current = now()
    return App(
        id=backup.app_id,
        catalog_id="custom",
        name=backup.app_id,
        hostname=backup.app_id,
        status="stopped",
        host_id=backup.host_id,
        node="",
        vmid=backup.vmid,
        owner_id=backup.owner_id,
        runtime="adopted",
        adopted=True,
        created_at=current,
        updated_at=current,
        state_changed_at=current,
    )
