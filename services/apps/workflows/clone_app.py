"""Copy an app with its data, from its container or from one of its backups."""

from __future__ import annotations

from typing import Any

from services.apps.workflows.deploy_app import end_deployed
from services.apps.workflows.docker import DockerSteps
from services.apps.workflows.shared import AppState, Steps, Tools, end_failed_new
from services.common.operations.model import Context, Workflow


def clone_app(tools: Tools) -> Workflow:
    """From the container of the source."""

    async def clone_container(state: AppState, ctx: Context) -> AppState:
        app = await tools.apps.get_app(state.app_id)
        task = await tools.containers.clone(
            state.source, state.source_app_id, target=state.ref, owner=app.id, hostname=app.hostname
        )
        await tools.finish(task, ctx)
        return state

    return _copy(tools, "clone_app", ("clone_container", "Copying the container"), clone_container)


def restore_beside(tools: Tools) -> Workflow:
    """From an archive."""

    async def restore_container(state: AppState, ctx: Context) -> AppState:
        app = await tools.apps.get_app(state.app_id)
        task = await tools.containers.restore_beside(
            state.ref, app.id, archive=state.archive, hostname=app.hostname
        )
        await tools.finish(task, ctx)
        return state

    return _copy(tools, "restore_beside", ("restore_container", "Restoring the archive"), restore_container)


def _copy(tools: Tools, kind: str, name: tuple[str, str], run: Any) -> Workflow:
    steps, docker = Steps(tools), DockerSteps(tools)
    return Workflow(
        kind=kind,
        steps=(
            steps.reserve_vmid,
            steps.destroying(*name, run, weight=30),
            steps.start_container,
            docker.push_compose,
            docker.compose_up,
            docker.probe,
        ),
        state_type=AppState,
        on_succeeded=end_deployed,
        on_failed=end_failed_new,
        timeout_s=12 * 3600,
    )
