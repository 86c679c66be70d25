"""Start, stop and restart an app."""

from __future__ import annotations

from services.apps.workflows.state import AppState, end_failed, end_with
from services.apps.workflows.steps.compose import DockerSteps
from services.apps.workflows.steps.container import Steps
from services.apps.workflows.steps.tools import Tools
from services.apps.workflows.steps.web_port import detecting_after_start
from services.clients.inventory.values import TaskKind
from services.common.operations.model import Context, Workflow


def start_app(tools: Tools) -> Workflow[AppState]:
    """Start the container; what runs in it starts with it."""
    steps: Steps[AppState] = Steps(tools)
    return Workflow(
        kind="start_app",
        steps=(
            steps.powering("start_container", "Starting the container", run=steps.start),
            DockerSteps(tools).probe,
            detecting_after_start(tools),
        ),
        state_type=AppState,
        on_succeeded=end_with("running"),
        on_failed=end_failed,
        timeout_s=3600,
    )


def stop_app(tools: Tools) -> Workflow[AppState]:
    """Shut the container down."""

    async def stop_container(state: AppState, ctx: Context) -> AppState:
        await tools.act("stop", state, ctx=ctx)
        return state

    steps: Steps[AppState] = Steps(tools)
    return Workflow(
        kind="stop_app",
        steps=(steps.powering("stop_container", "Stopping the container", run=stop_container),),
        state_type=AppState,
        # DHCP may give the address to another guest while the container is stopped.
        on_succeeded=end_with("stopped", forget_address=True),
        on_failed=end_failed,
        timeout_s=3600,
    )


def restart_app(tools: Tools) -> Workflow[AppState]:
    """Reboot the container, or start it when it does not run."""
    steps: Steps[AppState] = Steps(tools)

    async def reboot_container(state: AppState, ctx: Context) -> AppState:
        # A reboot leaves no state by which it could be seen: a worker that takes over looks for its task.
        if await tools.has_done(TaskKind.REBOOT, state, ctx=ctx):
            return state
        container = await tools.find(state)
        if container is not None and container.status == "running":
            await tools.act("reboot", state, ctx=ctx)
        return state

    return Workflow(
        kind="restart_app",
        steps=(
            steps.powering("reboot_container", "Rebooting the container", run=reboot_container),
            steps.start_container,
            DockerSteps(tools).probe,
            detecting_after_start(tools),
        ),
        state_type=AppState,
        on_succeeded=end_with("running"),
        on_failed=end_failed,
        timeout_s=3600,
    )
