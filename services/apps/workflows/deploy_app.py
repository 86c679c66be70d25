"""Deploy an app from the catalog: a container, what it runs, and an answer from it."""

from __future__ import annotations

from services.apps.domain.changes import AnnounceDeployed, Change
from services.apps.workflows.state import AppState, end_failed_new, end_with
from services.apps.workflows.steps.compose import DockerSteps
from services.apps.workflows.steps.container_creation import describe_container, make_first_container
from services.apps.workflows.steps.creation import CreationSteps
from services.apps.workflows.steps.image import DeployState, ImageSteps, forget_fallback
from services.apps.workflows.steps.tools import Tools
from services.common.operations.model import Context, Workflow

_end = end_with("running")


def deploy_app(tools: Tools) -> Workflow[DeployState]:
    """The workflow; a failure destroys the container and frees id and port."""
    steps: CreationSteps[DeployState] = CreationSteps(tools)
    docker: DockerSteps[DeployState] = DockerSteps(tools)

    async def create_container(state: DeployState, ctx: Context) -> DeployState:
        app = await tools.apps.get_app(state.app_id)
        new = describe_container(app, state.image)
        return await make_first_container(
            tools,
            state,
            ctx=ctx,
            ask=lambda state: tools.containers.create_container(state.ref, owner=app.id, new=new),
        )

    return Workflow(
        kind="deploy_app",
        steps=(
            steps.reserve_vmid,
            ImageSteps(tools).pull_oci_image,
            steps.destroying("create_container", "Creating the container", run=create_container, weight=20),
            steps.start_container,
            docker.install_docker,
            docker.push_compose,
            docker.pull_images,
            docker.compose_up,
            docker.probe,
        ),
        state_type=DeployState,
        on_succeeded=lambda state: (*end_deployed(state), *forget_fallback(state)),
        on_failed=lambda state, failure: (
            *end_failed_new(state, failure),
            *forget_fallback(state),
        ),
        timeout_s=3 * 3600,
    )


def end_deployed(state: AppState) -> tuple[Change, ...]:
    """It runs for the first time."""
    return (*_end(state), AnnounceDeployed(state.app_id))
