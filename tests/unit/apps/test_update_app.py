"""UpdateApp: name, resources and values of an app."""

from __future__ import annotations

import dataclasses

import pytest

from services.apps.domain.changes import ChangeApp
from services.apps.domain.entities import AppDetails
from services.apps.domain.errors import AppStateError
from services.apps.domain.resources import ResourceChanges
from services.apps.domain.values import ValueChanges
from services.apps.usecases.update_app import RequestedChanges, update_app
from services.clients.apps.errors import AppBusyError
from services.common.core.errors import InvalidError
from tests.fakes.app_updates import deploy_running, list_kinds, update
from tests.fakes.app_upgrades import (
    deploy,
    read_definition,
)
from tests.fakes.apps_platform import Platform, StaleStore, asked
from tests.fakes.apps_service import Service


async def test_changed_memory_reaches_the_container(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    app = await platform.store.get_app(app.id)
    await update_app(
        platform.dependencies,
        app.id,
        requester=asked(),
        changes=RequestedChanges(
            details=AppDetails(name="New"),
            resources=ResourceChanges(memory=1024),
            values=ValueChanges(environment={"THEME": "light"}),
        ),
    )
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.name, app.status, app.config.memory) == ("New", "running", 1024)
    assert platform.containers.containers[9000].memory == 1024 * 1024**2
    assert "THEME='light'" in platform.containers.files[9000, "/opt/proximity/.env"]


async def test_a_change_that_another_one_overtook_is_refused_and_takes_nothing_back(
    platform: Platform,
) -> None:
    app = await platform.deploy()
    await platform.run()
    app = await platform.store.get_app(app.id)
    await update_app(
        platform.dependencies,
        app.id,
        requester=asked(),
        changes=RequestedChanges(
            resources=ResourceChanges(memory=1024), values=ValueChanges(environment={"THEME": "light"})
        ),
    )
    await platform.run()
    late = dataclasses.replace(platform.dependencies, store=StaleStore(platform.store, app))
    with pytest.raises(AppBusyError, match="has just ended"):
        await update_app(
            late, app.id, requester=asked(), changes=RequestedChanges(resources=ResourceChanges(cores=3))
        )
    found = await platform.store.get_app(app.id)
    assert (found.environment["THEME"], found.config.memory) == ("light", 1024)


@pytest.mark.parametrize("running", ["running", "stopped"])
async def test_a_changed_app_in_error_is_as_its_container_is(platform: Platform, running: str) -> None:
    app = await platform.deploy()
    await platform.run()
    await platform.store.change(ChangeApp(app.id, {"status": "error", "error": "stopping failed"}))
    found = platform.containers.containers[9000]
    platform.containers.containers[9000] = dataclasses.replace(found, status=running)
    app = await platform.store.get_app(app.id)
    await update_app(
        platform.dependencies,
        app.id,
        requester=asked(),
        changes=RequestedChanges(details=AppDetails(name="New"), resources=ResourceChanges(memory=1024)),
    )
    await platform.run()
    assert (await platform.store.get_app(app.id)).status == running


async def test_an_app_without_container_stays_in_error_when_it_is_renamed(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    await platform.store.change(ChangeApp(app.id, {"status": "error", "vmid": None}))
    app = await platform.store.get_app(app.id)
    await update_app(
        platform.dependencies,
        app.id,
        requester=asked(),
        changes=RequestedChanges(details=AppDetails(name="New")),
    )
    await platform.run()
    found = await platform.store.get_app(app.id)
    assert (found.name, found.status) == ("New", "error")
    with pytest.raises(AppStateError, match="has no container"):
        await update_app(
            platform.dependencies,
            found.id,
            requester=asked(),
            changes=RequestedChanges(details=AppDetails(name="N"), resources=ResourceChanges(memory=1024)),
        )


async def test_a_changed_value_reaches_the_definition(platform: Platform) -> None:
    app = await deploy(platform, revisions=("r1", "r2"))
    await update_app(
        platform.dependencies,
        app.id,
        requester=asked(),
        changes=RequestedChanges(values=ValueChanges(environment={"THEME": "light"})),
    )
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert 'THEME: "light"' in read_definition(platform, app)
    assert (app.revision, app.environment["THEME"]) == ("r1", "light")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": "web-01"},
        {"memory": 512},
        {"cores": 2, "memory": 512},
        {"environment": {"THEME": "dark"}},
        {"environment": {"PASSWORD": "********"}},
        {"name": "Other"},
        {"name": "Other", "memory": 512, "environment": {"THEME": "dark", "PASSWORD": "********"}},
    ],
    ids=str,
)
@pytest.mark.parametrize("is_busy", [False, True], ids=["stable", "busy"])
async def test_what_the_container_need_not_follow_is_no_operation(
    service: Service,
    fields: dict[str, object],
    is_busy: bool,
) -> None:
    app = await deploy_running(service)
    if is_busy:
        await service.platform.act(app.id, "restart")
    before = await service.platform.store.get_app(app.id)
    kinds = await list_kinds(service, app.id)
    answer = await update(service, app.id, **fields)
    after = await service.platform.store.get_app(app.id)
    assert answer.name == fields.get("name", before.name) == after.name
    assert (answer.status, after.status) == (before.status, before.status)
    assert await list_kinds(service, app.id) == kinds
    assert (after.updated_at == before.updated_at) == (after.name == before.name)
    await service.platform.run()
    assert (await service.platform.store.get_app(app.id)).status == "running"


async def test_a_mixed_change_sets_the_name_and_has_the_container_follow_the_rest(
    service: Service,
) -> None:
    app = await deploy_running(service)
    answer = await update(
        service,
        app.id,
        name="Both",
        cores=2,
        memory=1024,
        environment={"THEME": "light", "PASSWORD": "********"},
    )
    assert (answer.name, answer.status) == ("Both", "updating")
    operation = await service.platform.store.find_unfinished(app.id)
    assert operation is not None
    await service.platform.run()
    after = await service.platform.store.get_app(app.id)
    assert (after.name, after.status, after.config.memory, after.config.cores) == (
        "Both",
        "running",
        1024,
        2,
    )
    assert (after.environment["THEME"], after.environment["PASSWORD"]) == ("light", "s3cret'x")
    assert service.platform.containers.containers[9000].memory == 1024 * 1024**2


async def test_the_name_stays_when_the_rest_of_a_change_fails(service: Service) -> None:
    app = await deploy_running(service)
    service.platform.containers.answers = False
    await update(service, app.id, name="Both", environment={"THEME": "light"})
    await service.platform.run_to_the_end()
    after = await service.platform.store.get_app(app.id)
    assert (after.name, after.environment["THEME"]) == ("Both", "dark")


async def test_a_mixed_change_of_a_busy_app_changes_nothing(service: Service) -> None:
    app = await deploy_running(service)
    await service.platform.act(app.id, "restart")
    with pytest.raises(AppBusyError):
        await update(service, app.id, name="Both", memory=1024)
    after = await service.platform.store.get_app(app.id)
    assert (after.name, after.config.memory) == ("web-01", 512)


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"disk": 1}, "disk"), ({"unset": ["NO_SUCH"]}, "environment.NO_SUCH")],
    ids=str,
)
async def test_a_wrong_value_beside_a_name_changes_nothing(
    service: Service,
    fields: dict[str, object],
    named: str,
) -> None:
    app = await deploy_running(service)
    with pytest.raises(InvalidError, match=named):
        await update(service, app.id, name="Other", **fields)
    assert (await service.platform.store.get_app(app.id)).name == "web-01"
