"""PerformAppAction: start, stop, restart or delete an app."""

from __future__ import annotations

from services.apps.usecases.delete_app import delete_app
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.new_operation import Accepted, begin_action


async def perform_app_action(
    dependencies: AppDependencies, app_id: str, *, action: str, requester: Requester
) -> Accepted:
    """Queue an action; an app that is as the action makes it has nothing to do.

    Raises:
        AppNotFoundError: there is no such app, or it is not the requester's.
        AppBusyError: another operation is under way.
        AppStateError: the app has no container.
        ContainerUnmanagedError: its container does not carry its mark.
    """
    if action == "delete":
        deletion = await delete_app(dependencies, app_id, requester=requester)
        return Accepted(deletion.app, deletion.message, deletion.operation_id)
    app = await dependencies.store.get_app(app_id, owner=requester.owner_filter)
    return await begin_action(dependencies, app, action=action, requester=requester)
