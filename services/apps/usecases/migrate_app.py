"""MigrateApp: move an app to another node of its host."""

from __future__ import annotations

from services.apps.domain.app_checks import require_container, require_movable
from services.apps.domain.entities import App
from services.apps.domain.errors import AppStateError
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.new_operation import Accepted, build_operation
from services.clients.inventory.interface import Containers
from services.clients.inventory.values import Ref
from services.common.core.errors import invalid_field


async def migrate_app(
    dependencies: AppDependencies, app_id: str, *, requester: Requester, node: str
) -> Accepted:
    """Queue the migration of an app.

    Raises:
        AppNotFoundError: there is no such app, or it is not the requester's.
        AppBusyError: another operation is under way.
        AppStateError: it is there already, or has no container.
        InvalidError: its host has no such node, or it does not fit there, as ListMigrationTargets says.
        UnavailableError: its host does not answer.
    """
    app = await dependencies.store.get_app(app_id, owner=requester.owner_filter)
    require_movable(app)
    if app.node == node:
        raise AppStateError(f"{app.id} is on {node} already")
    await _check_target(dependencies.containers, app, node=node)
    begin = build_operation(
        dependencies, app, kind="migrate_app", requester=requester, status="updating", target_node=node
    )
    message = f"Moving {app.hostname} to {node}"
    await dependencies.store.begin(app.id, begin, message=message)
    return Accepted(app, message, begin.id)


async def _check_target(containers: Containers, app: App, *, node: str) -> None:
    """Refuse a node that an app's container does not fit, in the words of ListMigrationTargets."""
    found = await containers.list_migration_targets(
        Ref(app.host_id, require_container(app), app.node), owner=app.id
    )
    # Moved there outside the platform, or by an operation that failed behind it: the operation notes it.
    if found.node == node:
        return
    target = found.find(node)
    if target is None:
        raise invalid_field("target_node", f"there is no node {node[:100]!r}")
    if target.obstacle:
        raise invalid_field("target_node", f"node {node}: {target.obstacle}")
