"""CloneApp: record a copy of an app and the operation that makes it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from services.apps.domain.app_checks import require_stable
from services.apps.domain.compose import republish
from services.apps.domain.entities import App
from services.apps.domain.errors import AppStateError, NoFreePortError
from services.apps.domain.marks import require_managed
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.deploy_app import PORT_ATTEMPTS
from services.apps.usecases.new_operation import Accepted, build_creation
from services.common.core.clock import now


async def clone_app(
    dependencies: AppDependencies, app_id: str, *, requester: Requester, hostname: str
) -> Accepted:
    """Record a copy of an app made of its container, and return the new app.

    Raises:
        AppNotFoundError: there is no such app, or it is not the requester's.
        AppBusyError: an operation on the source is under way.
        AppStateError: the source has no container.
        HostnameTakenError: another app has the hostname.
        QuotaExceededError: the owner's apps would take too much together.
    """
    source = await dependencies.store.get_app(app_id, owner=requester.owner_filter)
    require_stable(source)
    if source.vmid is not None:
        require_managed(source)
    app = await copy_app(dependencies, source, requester=requester, hostname=hostname)
    return Accepted(app, f"Cloning {source.hostname} to {app.hostname}", requester.operation_id)


def require_copyable(source: App) -> None:
    """Refuse to copy an app without a container, or from its archive.

    Raises:
        AppStateError: naming the app.
    """
    if source.vmid is None:
        raise AppStateError(f"{source.id} has no container to copy")


@dataclass(frozen=True, kw_only=True)
class CopiedArchive:
    """An archive that a new app is made of, as the new app's host names it and as the host that made it does.

    Attributes:
        backup_id: in its notes; empty: not known.
        size: bytes; 0: not known.
    """

    volume_id: str
    source_host_id: int
    source_volume_id: str
    backup_id: str = ""
    size: float = 0


async def copy_app(
    dependencies: AppDependencies,
    source: App,
    *,
    requester: Requester,
    hostname: str,
    archive: CopiedArchive | None = None,
) -> App:
    """Record a copy of an app, made of its container or of an archive of it, and the operation that makes it.

    Raises:
        AppStateError: the source has no container.
        HostnameTakenError: another app has the hostname.
        QuotaExceededError: the owner's apps would take too much together.
        NoFreePortError: every port that was chosen was taken meanwhile.
    """
    require_copyable(source)
    kind = "restore_beside" if archive else "clone_app"
    quota = await dependencies.quotas.get_quota(source.owner_id)
    state: dict[str, str | float | None] = {
        "source_app_id": source.id,
        "source_vmid": source.vmid,
        "source_node": source.node,
    }
    if archive is not None:
        state |= {
            "archive": archive.volume_id,
            "archive_host_id": archive.source_host_id,
            "source_archive": archive.source_volume_id,
            "backup_id": archive.backup_id,
            "archive_size": archive.size,
        }
    # Chosen here and taken in the transaction that adds the app: another deployment may take it in between.
    for _ in range(PORT_ATTEMPTS):
        port = await dependencies.store.choose_port(source.host_id)
        app = _describe_copy(source, requester, hostname=hostname, port=port)
        requester.name_target(f"app {source.id}, app {app.id}")
        begin = build_creation(dependencies, app, kind=kind, requester=requester, **state)
        if await dependencies.store.add_app(app, dataclasses.replace(begin, quota=quota)):
            return app
    raise NoFreePortError(f"no port of host {source.host_id} could be taken", retry_after=1)


def _describe_copy(source: App, requester: Requester, *, hostname: str, port: int) -> App:
    rendering = source.rendering
    if source.published and source.public_port is not None and rendering.compose:
        compose = republish(rendering.compose, source.public_port, new=port)
        rendering = dataclasses.replace(rendering, compose=compose)
        # The note contains a hash of the definition, which has changed with the port.
        rendering = rendering.mark_without_values() if source.rendering.is_without_values else rendering
    current = now()
    return dataclasses.replace(
        source,
        id=f"{source.catalog_id}-{requester.operation_id[:8]}",
        name=hostname,
        hostname=hostname,
        status="cloning",
        vmid=None,
        public_port=port,
        address="",
        rendering=rendering,
        adopted=False,
        last_backup=None,
        has_rollback=False,
        settled_status="",
        # What runs in an adopted container is not managed, nor is its copy: without Docker steps.
        runtime="oci" if source.adopted else source.runtime,
        error="",
        conditions=(),
        created_at=current,
        updated_at=current,
        state_changed_at=current,
    )
