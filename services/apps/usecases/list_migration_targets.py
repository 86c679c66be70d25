"""ListMigrationTargets: the nodes that an app fits, and why it does not fit the others."""

from __future__ import annotations

from services.apps.domain.app_checks import require_container
from services.apps.domain.interfaces import AppReads
from services.clients.inventory.interface import Containers
from services.clients.inventory.migration import MigrationTargets
from services.clients.inventory.values import Ref


async def list_migration_targets(
    apps: AppReads, containers: Containers, *, app_id: str, owner_filter: int | None
) -> MigrationTargets:
    """Return where an app is, and the other nodes of its host, those that it fits first.

    Raises:
        AppNotFoundError: there is no such app, or it is not the owner's.
        AppStateError: it has no container.
        ForbiddenError: what has its id does not carry its mark.
        UnavailableError: the host does not answer.
    """
    app = await apps.get_app(app_id, owner=owner_filter)
    ref = Ref(app.host_id, require_container(app), app.node)
    return await containers.list_migration_targets(ref, owner=app.id)
