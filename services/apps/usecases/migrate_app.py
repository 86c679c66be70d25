"""MigrateApp: move an app to another node of its host."""

from __future__ import annotations

from services.apps.domain.app_checks import require_movable
from services.apps.domain.errors import AppStateError
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.new_operation import Accepted, build_operation
from services.clients.inventory.values import Wanted
from services.common.core.errors import InvalidError, PreconditionError, invalid_field


async def migrate_app(
    dependencies: AppDependencies, app_id: str, *, requester: Requester, node: str
) -> Accepted:
    """Queue the migration of an app.

    Raises:
        AppNotFoundError: there is no such app, or it is not the requester's.
        AppBusyError: another operation is under way.
        AppStateError: it is there already, or has no container.
        InvalidError: its host has no such node, or the node is down.
    """
    app = await dependencies.store.get_app(app_id, owner=requester.owner_filter)
    require_movable(app)
    if app.node == node:
        raise AppStateError(f"{app.id} is on {node} already")
    try:
        await dependencies.containers.place_container(Wanted(host_id=app.host_id, node=node))
    except (InvalidError, PreconditionError) as error:
        raise invalid_field("target_node", error.message.removeprefix("node: ")) from error
    begin = build_operation(
        dependencies, app, kind="migrate_app", requester=requester, status="updating", target_node=node
    )
    message = f"Moving {app.hostname} to {node}"
    await dependencies.store.begin(app.id, begin, message=message)
    return Accepted(app, message, begin.id)
