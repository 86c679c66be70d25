"""PlanDeployment: what a deployment would choose, with nothing created."""

from __future__ import annotations

import dataclasses

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.config import ContainerLimits, parse_config
from services.apps.domain.errors import HostnameTakenError, NotAvailableError, QuotaExceededError
from services.apps.usecases.plan_deployment import DeploymentPlan
from services.clients.auth.values import Quota
from services.clients.catalog.client import GrpcCatalog
from services.clients.inventory.values import Placement, Wanted
from services.common.core.errors import InvalidError
from tests.fakes.apps_service import Service, call, inner
from tests.fakes.containers import FakeContainers
from tests.fakes.item_deployment import LocalClients, build_request, plan_alone
from tests.unit.catalog.samples import ITEM, build

SITE = {"SITE": "https://example.com"}


class FullContainers(FakeContainers):
    """A cluster without room."""

    async def place_container(self, wanted: Wanted) -> Placement:
        raise NotAvailableError(f"no node has {wanted.memory} MB")


async def plan(
    containers: FakeContainers, environment: dict[str, str] = SITE, **config: object
) -> DeploymentPlan:
    item = build(ITEM)
    new = build_request(item, runtime="auto", environment=environment)
    new = dataclasses.replace(new, id="", config=parse_config(config))
    return await plan_alone(new, GrpcCatalog(LocalClients(item)), containers=containers)


async def test_what_is_not_given_is_the_default() -> None:
    found = await plan(FakeContainers())
    assert found.resources == ContainerLimits(memory=2048, cores=2, disk_size=20, swap=512)
    assert (found.runtime, found.host_id, found.node, found.placement_message) == ("compose", 1, "pve1", "")


async def test_what_is_given_counts() -> None:
    found = await plan(FakeContainers(), memory=640, cores=1, disk_size=9, swap=0, runtime="oci")
    assert found.resources == ContainerLimits(memory=640, cores=1, disk_size=9, swap=0)
    assert found.runtime == "oci"


async def test_without_a_place_the_plan_says_why_and_shows_the_resources() -> None:
    found = await plan(FullContainers(), memory=9000)
    assert (found.host_id, found.node, found.placement_message) == (None, "", "no node has 9000 MB")
    assert found.resources.memory == 9000


async def test_nothing_is_created_or_reserved() -> None:
    containers = FakeContainers()
    await plan(containers)
    assert (containers.containers, containers.reserved) == ({}, {})


async def test_wrong_settings_and_inputs_are_refused_as_a_deployment_refuses_them() -> None:
    with pytest.raises(InvalidError, match=r"config\.memory"):
        await plan(FakeContainers(), memory=1)
    with pytest.raises(InvalidError) as caught:
        await plan(FakeContainers(), {"SITE": "no address"})
    assert [violation.field for violation in caught.value.violations] == ["environment.SITE"]


class RecordingContainers(FakeContainers):
    """A cluster of one node, which notes what is asked of it."""

    def __init__(self, architecture: str) -> None:
        super().__init__()
        self.architecture = architecture
        self.asked: list[Wanted] = []

    async def place_container(self, wanted: Wanted) -> Placement:
        self.asked.append(wanted)
        place = await super().place_container(wanted)
        return dataclasses.replace(place, architecture=self.architecture)


async def test_the_place_is_asked_for_the_architectures_of_the_images() -> None:
    containers = RecordingContainers("arm64")
    found = await plan(containers)
    assert [one.architectures for one in containers.asked] == [build(ITEM).architectures]
    assert found.warnings == ()
    await plan(containers, image="acme/app:1")  # of another image nobody knows it
    assert containers.asked[-1].architectures == ()


@pytest.mark.parametrize(("architecture", "warned"), [("arm64", True), ("amd64", False), ("", False)])
async def test_images_of_unknown_architectures_are_warned_about_where_nodes_are_not_amd64(
    architecture: str, warned: bool
) -> None:
    item = dataclasses.replace(build(ITEM), architectures=())
    new = dataclasses.replace(build_request(item, runtime="auto", environment=SITE), id="")
    containers = RecordingContainers(architecture)
    found = await plan_alone(new, GrpcCatalog(LocalClients(item)), containers=containers)
    assert [
        text.startswith("Node pve1 is arm64; the collection does not say") for text in found.warnings
    ] == [True] * warned


async def test_devices_that_the_node_may_lack_are_warned_about() -> None:
    service = {**build(ITEM).compose["services"]["web"], "devices": ["/dev/net/tun"]}
    item = dataclasses.replace(
        build(ITEM),
        compose={**build(ITEM).compose, "services": {"web": service}},
        allows=frozenset({"devices"}),
    )
    new = dataclasses.replace(build_request(item, runtime="compose", environment=SITE), id="")
    containers = RecordingContainers("amd64")
    found = await plan_alone(new, GrpcCatalog(LocalClients(item)), containers=containers)
    assert [one.devices for one in containers.asked] == [("/dev/net/tun",)]
    assert found.warnings == (
        "The container gets /dev/net/tun of node pve1, and does not start where the node lacks it.",
    )


async def test_what_a_deployment_would_be_refused_for_is_said_as_it_says_it(service: Service) -> None:
    await service.deploy("web-01")
    service.set_quota(Quota(apps=1))
    caller = dataclasses.replace(inner(), caller=dataclasses.replace(inner().caller, user=call().user))
    internal = dataclasses.replace(service.internal, dependencies=service.api.dependencies)
    request = pb.PlanDeploymentRequest(catalog_id="adminer", hostname="web-01")
    found = await internal.plan_deployment(request, caller)
    refusals = []
    for hostname in ("web-02", "web-01"):
        with pytest.raises((HostnameTakenError, QuotaExceededError)) as caught:
            await service.deploy(hostname)
        refusals.append(caught.value.message)
        service.set_quota(Quota())
    assert list(found.obstacles) == refusals[::-1]
    internal = dataclasses.replace(internal, dependencies=service.api.dependencies)
    assert not (
        await internal.plan_deployment(pb.PlanDeploymentRequest(catalog_id="adminer"), caller)
    ).obstacles
    service.platform.containers.failure["place_container"] = NotAvailableError("no node has 9000 MB")
    request.hostname = "web-03"
    assert list((await internal.plan_deployment(request, caller)).obstacles) == ["no node has 9000 MB"]
