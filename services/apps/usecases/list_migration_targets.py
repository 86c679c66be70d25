"""ListMigrationTargets: the nodes that an app fits, and why it does not fit the others."""

from __future__ import annotations

from services.apps.domain.app_checks import list_refusals, require_container, require_movable
from services.apps.domain.interfaces import AppReads
from services.clients.inventory.interface import Containers
from services.clients.inventory.migration import MigrationTargets
from services.clients.inventory.values import Ref


async def list_migration_targets(
    apps: AppReads, containers: Containers, *, app_id: str, owner_filter: int | None
) -> tuple[MigrationTargets, tuple[str, ...]]:
    """Return where an app is with the other nodes of its host, and why it cannot be moved to any of them now.

    Raises:
        AppNotFoundError: there is no such app, or it is not the owner's.
        AppStateError: it has no container.
        ForbiddenError: what has its id does not carry its mark.
        UnavailableError: the host does not answer.
    """
    app = await apps.get_app(app_id, owner=owner_filter)
    ref = Ref(app.host_id, require_container(app), app.node)
    found = await containers.list_migration_targets(ref, owner=app.id)
    return found, list_refusals(lambda: require_movable(app))
