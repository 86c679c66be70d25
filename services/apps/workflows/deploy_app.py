"""Deploy an app from the catalog: a container, what it runs, and an answer from it."""

from __future__ import annotations

import dataclasses
import secrets

from services.apps.domain.entities import AnnounceDeployed, App, Change
from services.apps.domain.interfaces import NewContainer
from services.apps.workflows.docker import DockerSteps
from services.apps.workflows.making import make_container
from services.apps.workflows.shared import AppState, Steps, Tools, end_failed_new, end_with
from services.common.operations.model import Context, Step, Workflow

_end = end_with("running")


def deploy_app(tools: Tools) -> Workflow:
    """The workflow; a failure destroys the container and frees id and port."""
    steps, docker = Steps(tools), DockerSteps(tools)

    async def pull_oci_image(state: AppState, ctx: Context) -> AppState:
        app = await tools.apps.get_app(state.app_id)
        if reason := str(app.rendering.get("runtime_reason", "")):
            await ctx.log(reason, level="warning")
        if app.runtime != "oci":
            return state
        image = str(app.rendering["image"])
        task = await tools.containers.pull_image(state.host_id, state.node, image=image, storage="")
        await ctx.log(f"Downloading {image}")
        return dataclasses.replace(state, image=await tools.finish(task, ctx))

    async def create_container(state: AppState, ctx: Context) -> AppState:
        app = await tools.apps.get_app(state.app_id)
        new = _new_container(app, state.image)
        return await make_container(
            tools, state, ctx, lambda state: tools.containers.create(state.ref, app.id, new)
        )

    return Workflow(
        kind="deploy_app",
        steps=(
            steps.reserve_vmid,
            Step("pull_oci_image", "Downloading the image", pull_oci_image, weight=5),
            steps.destroying("create_container", "Creating the container", create_container, weight=20),
            steps.start_container,
            docker.install_docker,
            docker.push_compose,
            docker.pull_images,
            docker.compose_up,
            docker.probe,
        ),
        state_type=AppState,
        on_succeeded=end_deployed,
        on_failed=end_failed_new,
        timeout_s=3 * 3600,
    )


def end_deployed(state: AppState) -> tuple[Change, ...]:
    """It runs for the first time."""
    return (*_end(state), AnnounceDeployed(state.app_id))


def _new_container(app: App, image: str) -> NewContainer:
    config, oci = app.config, app.runtime == "oci"
    return NewContainer(
        hostname=app.hostname,
        memory=config["memory"],
        swap=config["swap"],
        cores=config["cores"],
        disk_size=config["disk_size"],
        template=image if oci else str(config.get("ostemplate", "")),
        storage=str(config.get("storage", "")),
        network_cidr=str(app.rendering.get("network_cidr", "")),
        bridge=str(app.rendering.get("bridge", "")),
        gateway=str(app.rendering.get("gateway", "")),
        vlan=int(app.rendering.get("vlan") or 0),
        nameservers=tuple(app.rendering.get("nameservers", ())),
        docker=not oci,
        oci=oci,
        environment=app.environment if oci else {},
        entrypoint=str(app.rendering.get("entrypoint", "")) if oci else "",
        mounts=tuple((path, size) for path, size in app.rendering.get("mounts", ())) if oci else (),
        note=f"{app.name} ({app.catalog_id})",
        password="" if oci else secrets.token_urlsafe(24),
    )
