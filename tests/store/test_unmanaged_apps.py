"""Apps whose container lost their mark, or whose id a stranger has: shown as such, never touched, never forgotten."""

from __future__ import annotations

import dataclasses

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import (
    AppNotFoundError,
    ContainerManagedError,
    ContainerUnmanagedError,
    StepFailedError,
)
from services.clients.inventory.values import Container
from services.common.core.errors import InvalidError
from tests.store.apps_db import db  # noqa: F401 - fixtures
from tests.store.apps_platform import platform  # noqa: F401 - a fixture
from tests.store.apps_service import Service, call, inner, service  # noqa: F401 - fixtures
from tests.store.unmanaged_apps import (
    RECONCILE,
    deploy_running,
    find_status,
    reconcile,
    replace_by_stranger,
    strip,
)


@pytest.mark.parametrize("owner", ["", "other-12345678"])
async def test_a_strangers_figures_are_not_shown(service: Service, owner: str) -> None:  # noqa: F811
    app = await deploy_running(service)
    replace_by_stranger(service, app, owner=owner)
    with pytest.raises(ContainerUnmanagedError, match=r"does not carry|carries the mark"):
        await service.api.get_app_stats(pb.GetAppStatsRequest(app_id=app.id), call())
    shown = await reconcile(service, app)
    assert [one.type for one in shown.conditions] == ["unmanaged"]
    assert (shown.url, shown.address) == ("", "")


async def test_a_stranger_with_an_apps_id_is_discovered_and_can_be_adopted(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    replace_by_stranger(service, app)
    found = [
        one.vmid
        async for one in service.api.discover_containers(pb.DiscoverContainersRequest(), call(staff=True))
    ]
    assert found == [app.vmid]
    adopt = pb.AdoptContainerRequest(vmid=app.vmid or 0, node_name=app.node, host_id=1)
    adopted = await service.api.adopt_container(adopt, call(staff=True))
    await service.platform.run()
    assert service.platform.containers.containers[app.vmid or 0].owner == adopted.app_id
    assert (await service.platform.store.get_app(app.id)).vmid is None
    status, error = await find_status(service, app.id)
    assert status == "error"
    assert "another one has the id" in error


async def test_a_mark_that_comes_back_ends_the_condition(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    held = service.platform.containers.containers
    before = held[app.vmid or 0]
    strip(service, app)
    await reconcile(service, app)
    held[app.vmid or 0] = before
    assert not (await service.api.reconcile_apps(RECONCILE, call(staff=True))).findings
    shown = await service.platform.store.get_app(app.id)
    assert (shown.conditions, shown.url) == ((), app.url)


async def test_an_app_is_not_forgotten_while_its_container_may_run_on(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    strip(service, app)
    await service.api.delete_app(pb.DeleteAppRequest(app_id=app.id), call())
    await service.platform.run()
    status, error = await find_status(service, app.id)
    assert status == "error"
    assert "container=keep" in error
    assert app.vmid in service.platform.containers.containers
    await service.api.delete_app(pb.DeleteAppRequest(app_id=app.id, container="keep"), call())
    await service.platform.run()
    with pytest.raises(AppNotFoundError):
        await service.platform.store.get_app(app.id)
    assert app.vmid in service.platform.containers.containers


async def test_an_app_whose_id_a_stranger_has_can_be_deleted_and_that_is_said(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    replace_by_stranger(service, app)
    await reconcile(service, app)
    answer = await service.api.delete_app(pb.DeleteAppRequest(app_id=app.id), call())
    assert f"Container {app.vmid} of host 1 does not carry its mark and is not destroyed" in answer.message
    await service.platform.run()
    with pytest.raises(AppNotFoundError):
        await service.platform.store.get_app(app.id)
    assert service.platform.containers.containers[app.vmid or 0].name == "precious"
    assert app.id not in service.platform.containers.reserved


async def test_a_kept_container_loses_the_mark(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    await service.api.delete_app(pb.DeleteAppRequest(app_id=app.id, container="keep"), call())
    await service.platform.run()
    assert service.platform.containers.containers[app.vmid or 0].owner == ""


async def test_a_change_of_an_app_whose_id_a_stranger_has_ends(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    replace_by_stranger(service, app)
    await service.api.update_app(pb.UpdateAppRequest(app_id=app.id, memory=1024), call())
    await service.platform.run()
    assert (await find_status(service, app.id))[0] in {"running", "error"}
    logs, _ = await service.platform.store.list_logs(app.id, limit=20)
    assert any("was not undone" in line.message for line in logs)


async def test_an_adoption_that_fails_leaves_the_app_with_the_reason(service: Service) -> None:  # noqa: F811
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


async def test_a_copy_of_an_app_is_adopted_when_that_is_confirmed(service: Service) -> None:  # noqa: F811
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


async def test_what_was_made_of_a_removed_app_is_adopted_at_once(service: Service) -> None:  # noqa: F811
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


async def test_a_container_that_two_hosts_have_is_named_with_its_host(service: Service) -> None:  # noqa: F811
    held = service.platform.containers.containers
    for key, host in ((100, 1), (100_000, 2)):
        held[key] = Container(host_id=host, vmid=100, node="pve", name=f"ct{host}", status="running")
    with pytest.raises(InvalidError, match="hosts 1 and 2 each have a container 100") as caught:
        await service.api.adopt_container(
            pb.AdoptContainerRequest(vmid=100, node_name="pve"), call(staff=True)
        )
    assert [one.field for one in caught.value.violations] == ["host_id"]


async def test_an_app_that_was_moved_gets_its_node(service: Service) -> None:  # noqa: F811
    app = await deploy_running(service)
    held = service.platform.containers.containers
    held[app.vmid or 0] = dataclasses.replace(held[app.vmid or 0], node="pve3")
    found = await service.api.reconcile_apps(RECONCILE, call(staff=True))
    assert [(one.type, one.healed) for one in found.findings] == [("drifted", True)]
    assert (await service.platform.store.get_app(app.id)).node == "pve3"
