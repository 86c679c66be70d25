"""Containers that carry an app's mark already: never a second one is made, and none is destroyed without a word."""

from __future__ import annotations

import dataclasses

import pytest

from services.apps.domain.entities import App
from services.apps.usecases.clone_app import CopiedArchive, copy_app
from services.clients.inventory.values import Task
from services.common.core.errors import UnavailableError
from tests.fakes.apps_platform import Platform, asked, platform  # noqa: F401 - a fixture
from tests.fakes.apps_service import Service, call, service  # noqa: F401 - fixtures
from tests.fakes.unmanaged_apps import put_container
from tests.store.apps_db import db  # noqa: F401 - fixture


def marked(platform: Platform, app: App) -> set[int]:  # noqa: F811
    return {one.vmid for one in platform.containers.containers.values() if one.owner == app.id}


async def test_a_deployment_takes_over_what_it_made_in_a_forgotten_past(platform: Platform) -> None:  # noqa: F811
    app = await platform.deploy()
    put_container(platform, 9077, app.id, name=app.hostname)
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid, app.node) == ("running", 9077, "pve2")
    assert marked(platform, app) == {9077}
    assert platform.containers.reserved == {app.id: 9077}
    logs, _ = await platform.store.list_logs(app.id, limit=100)
    assert any("is taken over; no second one is made" in line.message for line in logs)


async def test_what_was_reserved_before_is_given_up_for_it(platform: Platform) -> None:  # noqa: F811
    app = await platform.deploy()
    create = platform.containers.create_container

    async def fail_once(*_: object, **__: object) -> Task:
        """The id 9000 is reserved and written down; there is no container yet when the past comes to light."""
        platform.containers.create_container = create  # type: ignore[method-assign]
        put_container(platform, 9077, app.id, name=app.hostname)
        raise UnavailableError("create did not work")

    platform.containers.create_container = fail_once  # type: ignore[method-assign]
    await platform.run_to_the_end()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid) == ("running", 9077)
    assert (marked(platform, app), platform.containers.reserved) == ({9077}, {app.id: 9077})


@pytest.mark.parametrize("kind", ["clone_app", "restore_beside"])
async def test_copies_take_theirs_over_as_well(platform: Platform, kind: str) -> None:  # noqa: F811
    source = await platform.deploy()
    await platform.run()
    source = await platform.store.get_app(source.id)
    name = platform.containers.archive(source.vmid or 0) if kind == "restore_beside" else ""
    archive = CopiedArchive(volume_id=name, source_host_id=1, source_volume_id=name) if name else None
    copy = await copy_app(
        platform.dependencies, source, requester=asked(), hostname="web-02", archive=archive
    )
    put_container(platform, 9077, copy.id, name=copy.hostname)
    platform.containers.docker.add(9077)
    await platform.run()
    copy = await platform.store.get_app(copy.id)
    assert (copy.status, copy.vmid) == ("running", 9077)
    assert marked(platform, copy) == {9077}


async def test_a_failure_does_not_destroy_what_was_taken_over(platform: Platform) -> None:  # noqa: F811
    app = await platform.deploy()
    put_container(platform, 9077, app.id, name=app.hostname)
    platform.containers.answers = False
    await platform.run_to_the_end()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid, marked(platform, app)) == ("error", 9077, {9077})
    assert app.public_port is not None
    platform.containers.answers = True
    await platform.act(app.id, "start")
    await platform.run()
    assert (await platform.store.get_app(app.id)).status == "running"


async def test_what_runs_already_is_not_destroyed_by_a_failure(platform: Platform) -> None:  # noqa: F811
    """The reservation is known, the operation's own steps are not: the database of apps alone is older."""
    app = await platform.deploy()
    vmid = await platform.containers.reserve_vmid(1, app.id)
    put_container(platform, vmid, app.id, name=app.hostname)
    platform.containers.answers = False
    await platform.run_to_the_end()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid, marked(platform, app)) == ("error", vmid, {vmid})


async def test_a_copy_made_in_proxmox_is_not_taken_for_the_apps_own(platform: Platform) -> None:  # noqa: F811
    app = await platform.deploy()
    put_container(platform, 9077, app.id, name=app.hostname)
    put_container(platform, 9078, app.id, name="Copy-of-web")
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid, marked(platform, app)) == ("running", 9077, {9077, 9078})


async def test_where_it_cannot_be_told_none_is_made_and_none_destroyed(platform: Platform) -> None:  # noqa: F811
    app = await platform.deploy()
    put_container(platform, 9077, app.id, name=app.hostname)
    put_container(platform, 9078, app.id, name=app.hostname)
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid, marked(platform, app)) == ("error", None, {9077, 9078})
    assert "9077 of host 1, 9078 of host 1 carries the mark" in app.error


async def test_one_on_another_host_is_no_reason_for_a_second(platform: Platform) -> None:  # noqa: F811
    app = await platform.deploy()
    put_container(platform, 9077, app.id, name=app.hostname)
    found = platform.containers.containers[9077]
    platform.containers.containers[9077] = dataclasses.replace(found, host_id=2)
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid) == ("error", None)
    assert "9077 of host 2" in app.error


async def test_an_id_that_another_app_has_is_not_taken_over(platform: Platform) -> None:  # noqa: F811
    app = await platform.deploy()
    platform.containers.reserved["other-1"] = 9077
    put_container(platform, 9077, app.id, name=app.hostname)
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid, marked(platform, app)) == ("error", None, {9077})
    assert "another app has its id" in app.error
