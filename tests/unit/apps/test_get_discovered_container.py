"""GetDiscoveredContainer: a look inside a container before it is adopted."""

from __future__ import annotations

import dataclasses

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import ContainerManagedError
from services.clients.inventory.errors import ContainerNotFoundError
from services.clients.inventory.inspections import Inspected, OpenPort
from services.clients.inventory.values import Ref
from tests.fakes.apps_service import Service, call

ADMIN = call(9, staff=True)
REF = Ref(1, 555, "pve1")


async def look(service: Service, vmid: int = REF.vmid) -> pb.ContainerDetails:
    request = pb.GetDiscoveredContainerRequest(host_id=1, vmid=vmid)
    return await service.api.get_discovered_container(request, ADMIN)


async def test_what_runs_in_a_container_is_shown_and_nothing_is_changed(service: Service) -> None:
    containers = service.platform.containers
    containers.add_container(REF, name="intranet", status="running")
    containers.inspected = Inspected(
        ports=(OpenPort(22, "tcp", "sshd", http=False), OpenPort(80, "tcp", "nginx", http=True)),
        web_port=80,
        image="nginx:1",
        os="Debian GNU/Linux 13",
        address="10.0.0.7",
    )
    before = dict(containers.containers)
    answer = await look(service)
    assert (answer.container.name, answer.container.ip_address) == ("intranet", "10.0.0.7")
    assert [(one.port, one.process, one.http) for one in answer.ports] == [
        (22, "sshd", False),
        (80, "nginx", True),
    ]
    assert (answer.web_port, answer.image, answer.os) == (80, "nginx:1", "Debian GNU/Linux 13")
    assert (answer.not_inspected, answer.HasField("marked_for"), list(answer.obstacles)) == ("", False, [])
    assert (containers.containers, containers.commands) == (before, [])


async def test_a_stopped_container_shows_what_proxmox_says(service: Service) -> None:
    service.platform.containers.add_container(REF, status="stopped", owner="gone-12345678")
    answer = await look(service)
    assert (answer.container.vmid, answer.not_inspected) == (REF.vmid, "it is stopped")
    assert (answer.marked_for, answer.HasField("web_port"), list(answer.ports)) == (
        "gone-12345678",
        False,
        [],
    )
    adopt = pb.AdoptContainerRequest(vmid=REF.vmid, node_name=REF.node, host_id=1)
    with pytest.raises(ContainerManagedError) as refused:
        await service.api.adopt_container(adopt, ADMIN)
    assert list(answer.obstacles) == [refused.value.message]


async def test_a_container_that_looks_like_that_of_an_app_has_the_obstacle_of_its_adoption(
    service: Service,
) -> None:
    app = await service.deploy()
    await service.platform.run()
    containers = service.platform.containers
    (vmid,) = containers.containers
    containers.containers[vmid] = dataclasses.replace(containers.containers[vmid], owner="")
    found = await look(service, vmid)
    adopt = pb.AdoptContainerRequest(vmid=vmid, node_name="pve1", host_id=1)
    with pytest.raises(ContainerManagedError, match=app.id) as refused:
        await service.api.adopt_container(adopt, ADMIN)
    assert list(found.obstacles) == [refused.value.message]


async def test_a_container_into_which_no_commands_get_says_why(service: Service) -> None:
    containers = service.platform.containers
    containers.add_container(REF, status="running")
    containers.hangs = ""
    await look(service)
    containers.containers[REF.vmid] = dataclasses.replace(containers.containers[REF.vmid], status="running")
    containers.inspection_fault = "the credentials allow no commands"
    answer = await look(service)
    assert (answer.not_inspected, list(answer.ports)) == ("the credentials allow no commands", [])


async def test_containers_of_apps_and_missing_ones_are_refused(service: Service) -> None:
    with pytest.raises(ContainerNotFoundError, match="host 1 has no container 555"):
        await look(service)
    app = await service.deploy()
    await service.platform.run()
    (vmid,) = service.platform.containers.containers
    with pytest.raises(ContainerManagedError, match=app.id):
        await look(service, vmid)
