"""AdoptContainer: a container becomes an app; marks of others need a confirmation."""

from __future__ import annotations

import dataclasses

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import (
    ContainerManagedError,
    StepFailedError,
)
from services.apps.usecases.adoption import adopt_container, discover_containers
from services.clients.inventory.values import Container, Ref
from services.common.core.errors import InvalidError
from tests.fakes.apps_platform import Platform, asked
from tests.fakes.apps_service import Service, call
from tests.fakes.unmanaged_apps import (
    deploy_running,
    find_status,
)


async def test_an_adopted_container_is_left_alone_when_its_app_is_deleted(platform: Platform) -> None:
    platform.containers.add_container(Ref(1, 300, "pve1"), name="old-box", status="running")
    found = await discover_containers(platform.dependencies, None)
    assert [item.vmid for item in found] == [300]
    app = await adopt_container(
        platform.dependencies, Ref(1, 300, "pve1"), requester=asked(), kind="custom", port=None, owner_id=1
    )
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.internal_port, app.runtime) == ("running", 80, "adopted")
    assert await discover_containers(platform.dependencies, None) == []
    await platform.act(app.id, "delete")
    await platform.run()
    assert platform.containers.containers[300].status == "running"
    assert platform.containers.containers[300].owner == ""


async def test_an_adoption_reports_addresses_that_others_have_too(platform: Platform) -> None:
    platform.containers.add_container(Ref(1, 301, "pve1"), name="old-box")
    platform.containers.conflicts[301] = ["The address 192.0.2.53 on vmbr0 is also that of container 170"]
    app = await adopt_container(
        platform.dependencies, Ref(1, 301, "pve1"), requester=asked(), kind="custom", port=None, owner_id=1
    )
    await platform.run()
    logs, _ = await platform.store.list_logs(app.id, limit=20)
    assert [line.message for line in logs if line.level == "warning"] == platform.containers.conflicts[301]


async def test_an_adoption_that_fails_leaves_the_app_with_the_reason(service: Service) -> None:
    containers = service.platform.containers
    containers.containers[150] = Container(host_id=1, vmid=150, node="pve1", name="nightly", status="running")
    adopt = pb.AdoptContainerRequest(vmid=150, node_name="pve1", host_id=1)
    containers.failure["adopt_container"] = StepFailedError("the description is too long")
    adopted = await service.api.adopt_container(adopt, call(staff=True))
    await service.platform.run()
    assert await find_status(service, adopted.app_id) == (
        "error",
        "Marking the container: the description is too long",
    )
    await service.api.delete_app(pb.DeleteAppRequest(app_id=adopted.app_id), call(staff=True))
    await service.platform.run()
    del containers.failure["adopt_container"]
    again = await service.api.adopt_container(adopt, call(staff=True))
    await service.platform.run()
    assert (await find_status(service, again.app_id))[0] == "running"


async def test_a_copy_of_an_app_is_adopted_when_that_is_confirmed(service: Service) -> None:
    app = await deploy_running(service)
    held = service.platform.containers.containers
    held[700] = dataclasses.replace(held[app.vmid or 0], vmid=700, name="copy")
    adopt = pb.AdoptContainerRequest(vmid=700, node_name=held[700].node, host_id=1)
    with pytest.raises(ContainerManagedError, match="replace_mark"):
        await service.api.adopt_container(adopt, call(staff=True))
    adopt.replace_mark = True
    adopted = await service.api.adopt_container(adopt, call(staff=True))
    await service.platform.run()
    assert (held[700].owner, held[app.vmid or 0].owner) == (adopted.app_id, app.id)
    own = pb.AdoptContainerRequest(vmid=app.vmid or 0, node_name=app.node, host_id=1, replace_mark=True)
    with pytest.raises(ContainerManagedError, match="belongs to"):
        await service.api.adopt_container(own, call(staff=True))


async def test_what_was_made_of_a_removed_app_is_adopted_at_once(service: Service) -> None:
    app = await deploy_running(service)
    restored = dataclasses.replace(service.platform.containers.containers[app.vmid or 0], vmid=700)
    await service.api.delete_app(pb.DeleteAppRequest(app_id=app.id), call())
    await service.platform.run()
    service.platform.containers.containers[700] = restored
    adopt = pb.AdoptContainerRequest(vmid=700, node_name=restored.node, host_id=1)
    adopted = await service.api.adopt_container(adopt, call(staff=True))
    await service.platform.run()
    assert service.platform.containers.containers[700].owner == adopted.app_id
    foreign = dataclasses.replace(restored, vmid=701, owner="adminer-00000000", name="foreign")
    service.platform.containers.containers[701] = foreign
    with pytest.raises(ContainerManagedError, match="no app of this platform"):
        await service.api.adopt_container(
            pb.AdoptContainerRequest(vmid=701, node_name=foreign.node, host_id=1), call(staff=True)
        )


async def test_a_container_that_two_hosts_have_is_named_with_its_host(service: Service) -> None:
    held = service.platform.containers.containers
    for key, host in ((100, 1), (100_000, 2)):
        held[key] = Container(host_id=host, vmid=100, node="pve", name=f"ct{host}", status="running")
    with pytest.raises(InvalidError, match="hosts 1 and 2 each have a container 100") as caught:
        await service.api.adopt_container(
            pb.AdoptContainerRequest(vmid=100, node_name="pve"), call(staff=True)
        )
    assert [one.field for one in caught.value.violations] == ["host_id"]
