"""Change an app's resources and environment, or move it to another node."""

from __future__ import annotations

import dataclasses
from typing import Any

from services.apps.domain.entities import App, Change, ChangeApp
from services.apps.domain.interfaces import Container
from services.apps.workflows.docker import DockerSteps
from services.apps.workflows.shared import Steps
from services.apps.workflows.state import AppState, end_failed
from services.apps.workflows.tools import Tools
from services.common.operations.model import Context, Step, StepResult, Workflow

_GIB = 1 << 30


def update_app(tools: Tools) -> Workflow:
    """Change the container, then what runs in it; what fails or is cancelled takes memory and cores back."""
    docker = DockerSteps(tools)

    async def configure_container(state: AppState, ctx: Context) -> AppState:
        changes = {name: value for name, value in state.changes.items() if name != "has_environment"}
        app = await tools.apps.get_app(state.app_id)
        if app.runtime == "oci" and state.changes.get("has_environment"):
            changes["environment"] = app.environment
        if changes:
            await tools.finish(await tools.containers.configure(state.ref, app.id, changes=changes), ctx)
        return await look_when_in_error(state)

    async def look_when_in_error(state: AppState) -> AppState:
        """An app in error does not say whether its container runs."""
        if state.previous != "error" or state.vmid is None:
            return state
        container = await tools.find(state)
        return dataclasses.replace(state, was_running=container is not None and container.status == "running")

    async def configure_as_before(state: AppState, ctx: Context) -> StepResult:
        """Give memory and cores back; a disk that has grown stays as it is."""
        container = await tools.find(state)
        if container is None or not state.former:
            return StepResult(state)
        back = {name: value for name, value in state.former.items() if name != "disk_gb"}
        if back:
            await tools.finish(await tools.containers.configure(state.ref, state.app_id, changes=back), ctx)
        app = await tools.apps.get_app(state.app_id)
        return StepResult(state, (ChangeApp(app.id, {"config": _former_config(app, state, container)}),))

    async def apply_environment(state: AppState, ctx: Context) -> AppState:
        app = await tools.apps.get_app(state.app_id)
        if not state.changes.get("has_environment") or not state.was_running:
            return state
        if app.runtime == "oci":
            await tools.act("reboot", state, ctx)
            return state
        await docker.push(state, ctx)
        return await docker.compose_up.run(state, ctx)  # type: ignore[no-any-return]

    return Workflow(
        kind="update_app",
        steps=(
            Step("configure_container", "Changing the container", configure_container, configure_as_before),
            Step("apply_environment", "Applying the environment", apply_environment),
        ),
        state_type=AppState,
        on_succeeded=_end_as_before,
        on_failed=end_failed,
        timeout_s=3600,
    )


def _former_config(app: App, state: AppState, container: Container) -> dict[str, Any]:
    """The configuration as it was before, with the disk that the container has."""
    names = {"memory_mb": "memory", "cores": "cores"}
    former = {names[name]: value for name, value in state.former.items() if name in names}
    if "disk_gb" in state.former:
        former["disk_size"] = max(int(state.former["disk_gb"]), int(container.disk // _GIB))
    return {**app.config, **former}


def migrate_app(tools: Tools) -> Workflow:
    """Move the container to another node of its host."""

    async def migrate_container(state: AppState, ctx: Context) -> AppState:
        task = await tools.containers.migrate(state.ref, state.app_id, node=state.target_node)
        await tools.finish(task, ctx)
        return state

    async def look_where_it_is(state: AppState, ctx: Context) -> AppState:
        if not state.was_running:
            return state
        return (await Steps(tools).start_container.run(state, ctx)).state  # type: ignore[no-any-return]

    return Workflow(
        kind="migrate_app",
        steps=(
            Steps(tools).powering("migrate_container", "Moving the container", migrate_container, weight=10),
            Step("start_container", "Looking whether it runs", look_where_it_is),
        ),
        state_type=AppState,
        on_succeeded=_end_moved,
        on_failed=end_failed,
        timeout_s=6 * 3600,
    )


def _end_as_before(state: AppState) -> tuple[Change, ...]:
    if state.vmid is None:
        error = "it has no container; delete it and deploy it again"
        return (ChangeApp(state.app_id, {"status": "error", "error": error}),)
    return (ChangeApp(state.app_id, {"status": "running" if state.was_running else "stopped", "error": ""}),)


def _end_moved(state: AppState) -> tuple[Change, ...]:
    values = {"node": state.target_node, **({"address": state.address} if state.address else {})}
    return (*_end_as_before(state), ChangeApp(state.app_id, values))
