"""Make an app of a document of another platform: of an archive of its data, or anew without data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from services.apps.domain.entities import App
from services.apps.domain.errors import StepFailedError
from services.apps.domain.imports import describe_restore
from services.apps.workflows.deploy_app import end_deployed
from services.apps.workflows.state import CreationState, end_failed_new
from services.apps.workflows.steps.compose import DockerSteps
from services.apps.workflows.steps.container_creation import describe_container, make_first_container
from services.apps.workflows.steps.creation import CreationSteps
from services.apps.workflows.steps.tools import Tools
from services.clients.inventory.archive_values import NewNetwork
from services.clients.inventory.values import ContainerChanges, Task
from services.common.operations.model import Context, Step, Workflow

KIND = "import_exported_app"


@dataclasses.dataclass(frozen=True)
class ExportedAppState(CreationState):
    """State of an import.

    Attributes:
        archive: volume id; empty: the app is deployed anew.
        archive_size: bytes, as the request saw it.
        exported_id: the app that the archive's configuration names.
        image: volume id of the image of an app that is deployed anew.
    """

    archive: str = ""
    archive_size: int = 0
    exported_id: str = ""
    image: str = ""


def _limit(
    step: Step[ExportedAppState], applies: Callable[[ExportedAppState], bool]
) -> Step[ExportedAppState]:
    """Limit a step that other workflows have to some imports."""
    return dataclasses.replace(step, applies=applies)


def _has_archive(state: ExportedAppState) -> bool:
    return bool(state.archive)


def _is_new(state: ExportedAppState) -> bool:
    return not state.archive


def _is_new_project(state: ExportedAppState) -> bool:
    return not state.archive and state.runtime == "compose"


def _is_new_image(state: ExportedAppState) -> bool:
    return not state.archive and state.runtime == "oci"


@dataclasses.dataclass(frozen=True)
class ImportSteps:
    """The steps of an import that other creations do not have."""

    tools: Tools

    async def check_archive(self, state: ExportedAppState, ctx: Context) -> ExportedAppState:
        """Check that the archive is the one of the request: the operation may have waited for long.

        Raises:
            StepFailedError: it has another size, or is of another app.
        """
        app = await self.tools.apps.get_app(state.app_id)
        plan = await self.tools.containers.plan_restore(
            describe_restore(state.host_id, state.archive, node=state.node, storage=app.config.storage)
        )
        plan.check()
        # By size and owner: reading the whole archive would take as long as the restore.
        if (plan.archived.size, plan.archived.owner) != (state.archive_size, state.exported_id):
            raise StepFailedError(f"{state.archive} has changed since the import was requested; import again")
        await ctx.log(f"{state.archive} is restored to storage {plan.storage}")
        return state

    async def pull_image(self, state: ExportedAppState, ctx: Context) -> ExportedAppState:
        """Have the image on the node."""
        app = await self.tools.apps.get_app(state.app_id)
        image = app.rendering.image
        task = await self.tools.containers.pull_image(state.host_id, state.node, reference=image)
        await ctx.log(f"Downloading {image}")
        return dataclasses.replace(state, image=await self.tools.finish(task, ctx))

    async def create_container(self, state: ExportedAppState, ctx: Context) -> ExportedAppState:
        """Make an empty container."""
        app = await self.tools.apps.get_app(state.app_id)
        new = describe_container(app, state.image)
        return await make_first_container(
            self.tools,
            state,
            ctx=ctx,
            ask=lambda state: self.tools.containers.create_container(state.ref, owner=app.id, new=new),
        )

    async def restore_container(self, state: ExportedAppState, ctx: Context) -> ExportedAppState:
        """Make the container of the archive, with the marks and the network of this platform."""
        app = await self.tools.apps.get_app(state.app_id)

        async def ask(state: ExportedAppState) -> Task:
            return await self.tools.containers.restore_container(
                state.ref,
                owner=app.id,
                beside=True,
                archive=state.archive,
                hostname=app.hostname,
                storage=app.config.storage,
                network=_describe_network(app),
            )

        return await make_first_container(self.tools, state, ctx=ctx, ask=ask)

    async def configure_container(self, state: ExportedAppState, ctx: Context) -> ExportedAppState:
        """Give the container the resources that the quota was checked with; the archive has those of its time."""
        app = await self.tools.apps.get_app(state.app_id)
        config = app.config
        changes = ContainerChanges(memory_mb=config.memory, cores=config.cores, disk_gb=config.disk_size)
        task = await self.tools.containers.configure_container(state.ref, owner=app.id, changes=changes)
        await self.tools.finish(task, ctx)
        return state


def import_exported_app(tools: Tools) -> Workflow[ExportedAppState]:
    """The workflow; a failure destroys the container and frees id, address and port. The archive is only read."""
    steps: CreationSteps[ExportedAppState] = CreationSteps(tools)
    docker: DockerSteps[ExportedAppState] = DockerSteps(tools)
    own = ImportSteps(tools)
    restoring = steps.destroying(
        "restore_container", "Restoring the archive", run=own.restore_container, weight=30
    )
    creating = steps.destroying(
        "create_container", "Creating the container", run=own.create_container, weight=20
    )
    return Workflow(
        kind=KIND,
        steps=(
            Step("check_archive", "Checking the archive", own.check_archive, applies=_has_archive),
            # Behind the check, so that an archive that was changed costs no id.
            steps.reserve_vmid,
            Step("pull_oci_image", "Downloading the image", own.pull_image, weight=5, applies=_is_new_image),
            _limit(restoring, _has_archive),
            Step(
                "configure_container",
                "Giving it the app's resources",
                own.configure_container,
                applies=_has_archive,
            ),
            _limit(creating, _is_new),
            steps.start_container,
            # An archive brings Docker and its images along, and its registry may be gone by now.
            _limit(docker.install_docker, _is_new_project),
            # For archives as well: address, port and values are those of this platform.
            docker.push_compose,
            _limit(docker.pull_images, _is_new_project),
            docker.compose_up,
            docker.probe,
        ),
        state_type=ExportedAppState,
        on_succeeded=end_deployed,
        on_failed=end_failed_new,
        timeout_s=24 * 3600,
    )


def _describe_network(app: App) -> NewNetwork:
    rendering = app.rendering
    return NewNetwork(
        bridge=rendering.bridge,
        network_cidr=rendering.network_cidr,
        gateway=rendering.gateway,
        vlan=rendering.vlan,
        nameservers=rendering.nameservers,
        oci=app.runtime == "oci" and bool(rendering.image),
    )
