"""Deploys items of the catalog into simulated containers: the real rendering and workflow, no sockets, no waiting."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from proximity.catalog.v1 import catalog_service_pb2 as pb

from services.apps.domain.changes import ChangeApp
from services.apps.domain.config import AppConfig, parse_config
from services.apps.domain.deployment import NewApp, build_app, plan_app
from services.apps.domain.entities import App
from services.apps.domain.quotas import Unlimited
from services.apps.usecases.plan_deployment import DeploymentPlan, plan_deployment
from services.apps.workflows.deploy_app import deploy_app
from services.apps.workflows.steps.image import DeployState
from services.apps.workflows.steps.tools import Tools
from services.catalog.convert.deployments import parse_render, render_rendering
from services.catalog.domain.entities import Item
from services.catalog.domain.renderer.rendered_definition import render_item
from services.clients.catalog.client import GrpcCatalog
from services.clients.inventory.interface import OnText
from services.clients.inventory.values import NewContainer, Probe, Ref, Task
from services.common.operations.model import ClaimedOperation, StepResult
from services.common.rpc.client import Clients
from tests.fakes.containers import FakeContainers
from tests.pvesim.guest import Guest, World
from tests.pvesim.guest.http import Request
from tests.pvesim.guest.place import Place
from tests.unit.pvesim_guest.conftest import DEBIAN

PUBLIC_PORT = 31_234


class LocalClients(Clients):
    """Answers RenderItem of one item as the catalog would, through the messages of the wire."""

    def __init__(self, item: Item) -> None:
        self._item = item

    async def call(self, service: str, stub: type, method: str, request: Any, **_: Any) -> pb.Rendering:
        assert (service, method, request.app_id) == ("catalog", "RenderItem", self._item.id)
        return render_rendering(render_item(self._item, parse_render(request)))


class SimulatedContainers(FakeContainers):
    """Containers whose inside is simulated: templates, images, Docker and what listens."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.guests: dict[int, Guest] = {}

    async def create_container(self, ref: Ref, *, owner: str, new: NewContainer) -> Task:
        task = await super().create_container(ref, owner=owner, new=new)
        if new.oci:
            image = new.template.removeprefix("local:vztmpl/")
            guest = Guest.from_image(
                image, hostname=new.hostname, env=new.environment, entrypoint=new.entrypoint or None
            )
        else:
            guest = Guest.from_template(DEBIAN, hostname=new.hostname)
        guest.place = Place(key=str(ref.vmid), vmid=ref.vmid, address="10.0.0.9", nesting=new.docker)
        self.guests[ref.vmid] = guest
        return task

    async def start_container(self, ref: Ref, *, owner: str) -> Task:
        task = await super().start_container(ref, owner=owner)
        self.guests[ref.vmid].boot(world=self.world)
        return task

    async def exec(
        self,
        ref: Ref,
        *,
        owner: str,
        argv: Sequence[str],
        on_text: OnText,
        stdin: bytes = b"",
        stall_s: int = 600,
    ) -> int:
        done = await self.guests[ref.vmid].run(list(argv), world=self.world, stdin=stdin)
        await on_text((done.stdout + done.stderr).decode())
        return done.exit_code

    async def push_file(self, ref: Ref, *, owner: str, path: str, content: str, mode: int) -> None:
        files = self.guests[ref.vmid].fs
        files.make_dir(path.rpartition("/")[0], parents=True)
        files.write(path, content.encode())

    async def probe_port(
        self,
        ref: Ref,
        *,
        owner: str,
        port: int,
        scheme: str,
        path: str,
        thorough: bool = True,
        wait_s: float = 0,
        inside: bool = False,
    ) -> Probe:
        guest, now = self.guests[ref.vmid], self.world.clock()
        found = {one.port: one.kind_at(now) for one in guest.listening() if one.proto == "tcp"}
        answered = found.get(port) in ({"tcp", "http"} if scheme == "tcp" else {"http"})
        if answered and scheme != "tcp":
            answered = guest.respond((port, "tcp"), Request("GET", path), now=now) is not None
        return Probe(answered, "10.0.0.9", f"{found} does not answer {scheme} at {port}")


class Apps:
    """The one app that is deployed."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def get_app(self, app_id: str) -> App:
        return self.app

    def apply(self, change: object) -> None:
        if isinstance(change, ChangeApp):
            self.app = dataclasses.replace(self.app, **change.values)


class Notes:
    """What a step says is kept for whoever reads why it failed."""

    is_cancelled = False
    operation: ClaimedOperation

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def log(self, message: str, *, level: str = "info") -> None:
        self.lines.append(message)

    async def save(self, state: Any, *changes: Any) -> None:
        """Nothing dies here."""

    async def note_upid(self, upid: str) -> None:
        """Nobody asks."""

    async def list_upids(self) -> Sequence[str]:
        return ()

    async def progress(self, fraction: float, *, message: str = "") -> None:
        """Nobody looks."""


def build_request(item: Item, *, runtime: str, environment: Mapping[str, str]) -> NewApp:
    """Return what a user asks for."""
    return NewApp(
        id=f"{item.id}-{uuid.uuid4().hex[:8]}",
        owner_id=1,
        catalog_id=item.id,
        hostname="app-01",
        name="",
        config=parse_config({"runtime": runtime}),
        environment=environment,
    )


async def plan_item(item: Item, *, runtime: str, environment: Mapping[str, str]) -> DeploymentPlan:
    """Return what the preview of a deployment shows."""
    new = build_request(item, runtime=runtime, environment=environment)
    return await plan_alone(new, GrpcCatalog(LocalClients(item)), containers=SimulatedContainers())


class NoApps:
    """A platform without apps; implements `CountedApps`."""

    async def list_counted_configs(self, *, owner: int) -> Sequence[AppConfig]:
        return ()

    async def is_hostname_taken(self, hostname: str) -> bool:
        return False


async def plan_alone(new: NewApp, catalog: GrpcCatalog, *, containers: FakeContainers) -> DeploymentPlan:
    """Plan a deployment on a platform without other apps and quotas."""
    return await plan_deployment(new, catalog, containers=containers, apps=NoApps(), quotas=Unlimited())


async def deploy_item(item: Item, *, runtime: str, environment: Mapping[str, str]) -> App:
    """Deploy an item and return the app that answered.

    Raises:
        DomainError: it could not be rendered, or a step failed.
    """
    containers, catalog = SimulatedContainers(), GrpcCatalog(LocalClients(item))
    new = build_request(item, runtime=runtime, environment=environment)
    plan = await plan_app(new, catalog, containers=containers)
    apps = Apps(await build_app(plan, catalog, public_port=PUBLIC_PORT))
    rendering = apps.app.rendering
    assert rendering.probe is not None
    probe = dataclasses.replace(rendering.probe, grace_s=1)
    apps.app = dataclasses.replace(apps.app, rendering=dataclasses.replace(rendering, probe=probe))
    notes = Notes()
    state: Any = DeployState(apps.app.id, apps.app.host_id, apps.app.node)
    for step in deploy_app(Tools(containers, apps)).steps:
        outcome = await step.run(state, notes)
        result = outcome if isinstance(outcome, StepResult) else StepResult(outcome)
        state = result.state
        for change in result.changes:
            apps.apply(change)
    return apps.app
