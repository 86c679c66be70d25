"""Restoring an archive over the container of an app, which takes an update back."""

from __future__ import annotations

from services.apps.workflows.state import AppState
from services.apps.workflows.steps.container import Steps
from services.apps.workflows.steps.tools import Tools
from services.clients.inventory.values import ContainerChanges
from services.common.core.errors import BusyError
from services.common.operations.model import Context

VOLUMES_NOT_ARCHIVED = "VOLUMES_NOT_ARCHIVED"
_RUNNING = "CONTAINER_RUNNING"


async def restore_archive(tools: Tools, state: AppState, *, ctx: Context, archive: str) -> None:
    """Make the app's container what an archive has, with the resources that the app has now; it is left stopped.

    Raises:
        PreconditionError: it has volumes that are not in the archive (`VOLUMES_NOT_ARCHIVED`); it is not stopped for that.
    """
    app = await tools.apps.get_app(state.app_id)
    containers, container = tools.containers, await tools.find(state)
    if container is not None and container.owner != app.id:  # what a creation left that was broken off
        steps: Steps[AppState] = Steps(tools)
        await steps.destroy(state, ctx)
        container = await tools.find(state)
    storage = app.config.storage
    if container is None:  # a restore that failed midway leaves none
        task = await containers.restore_container(
            state.ref, owner=app.id, beside=True, archive=archive, hostname=app.hostname, storage=storage
        )
    else:
        try:
            task = await containers.restore_container(
                state.ref, owner=app.id, archive=archive, storage=storage
            )
        except BusyError as error:  # what is refused for good is refused before it is stopped
            if error.reason != _RUNNING:
                raise
            await tools.act("stop", state, ctx=ctx)
            task = await containers.restore_container(
                state.ref, owner=app.id, archive=archive, storage=storage
            )
    await tools.finish(task, ctx)
    # The archive has the resources of its time, and the quota was checked with those of now.
    config = app.config
    changes = ContainerChanges(memory_mb=config.memory, cores=config.cores, disk_gb=config.disk_size)
    await tools.finish(await containers.configure_container(state.ref, owner=app.id, changes=changes), ctx)
