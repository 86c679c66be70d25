"""DeployApp: from the request to an app that answers, and the ways in which that fails."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from services.apps.domain.entities import AppFilter
from services.apps.domain.errors import (
    AppNotFoundError,
    HostnameTakenError,
)
from services.apps.store.tables import metadata, operation_tables, ports
from services.common.core.clock import now
from services.common.core.errors import InvalidError
from tests.fakes.apps_platform import Platform
from tests.fakes.apps_service import Service


async def test_an_unknown_key_of_config_is_refused(service: Service) -> None:
    with pytest.raises(InvalidError, match=r"config\.ram"):
        await service.deploy(config={"ram": 1})


async def test_a_deployed_app_runs_and_answers_at_its_port(platform: Platform) -> None:
    app = await platform.deploy()
    assert app.status == "deploying"
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.error, app.vmid) == ("running", "", 9000)
    assert app.url == f"http://{app.address}:{app.public_port}"
    assert 'PASSWORD="s3cret\'x"' in platform.containers.files[9000, "/opt/proximity/.env"]
    assert app.visible_environment == {"PASSWORD": "********", "THEME": "dark"}
    logs, total = await platform.store.list_logs(app.id, limit=100)
    assert total == len(logs) >= 9
    assert logs[-1].message == "Reserving a container id"


async def test_secrets_are_in_no_table(platform: Platform) -> None:
    await platform.deploy()
    await platform.run()

    def fn(connection: sa.Connection) -> str:
        return "".join(str(connection.execute(sa.select(table)).all()) for table in metadata.sorted_tables)

    assert "s3cret" not in await platform.database.read(fn)


async def test_the_same_request_twice_makes_one_app(platform: Platform) -> None:
    first = await platform.deploy(request_id="a" * 32)
    second = await platform.deploy(request_id="a" * 32)
    assert first.id == second.id
    assert (await platform.store.list_stamps(AppFilter(), page=1, per_page=10))[1] == 1


async def test_a_taken_hostname_is_refused_and_takes_no_port(platform: Platform) -> None:
    await platform.deploy("web-01")
    with pytest.raises(HostnameTakenError, match="web-01"):
        await platform.deploy("web-01")
    count = sa.select(sa.func.count()).select_from(ports)
    assert await platform.database.read(lambda connection: connection.execute(count).scalar_one()) == 1


async def test_a_deployment_that_does_not_answer_leaves_nothing_behind(platform: Platform) -> None:
    platform.containers.answers = False
    app = await platform.deploy()
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert app.status == "error"
    assert "does not answer" in app.error
    assert (platform.containers.containers, platform.containers.reserved) == ({}, {})
    assert (app.vmid, app.public_port) == (None, None)
    await platform.act(app.id, "delete")
    await platform.run()
    with pytest.raises(AppNotFoundError):
        await platform.store.get_app(app.id)


async def test_what_passes_is_tried_again(platform: Platform) -> None:
    platform.containers.broken = {"create_container": 2, "start_container": 1}
    app = await platform.deploy()
    await platform.run()
    assert (await platform.store.get_app(app.id)).status == "running"


async def test_a_task_that_proxmox_forgot_is_no_failure(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    for action, status in (("stop", "stopped"), ("start", "running"), ("restart", "running")):
        platform.containers.lost.add("task")
        await platform.act(app.id, action)
        await platform.run()
        assert (await platform.store.get_app(app.id)).status == status
        assert not platform.containers.lost


async def test_an_id_that_a_stranger_took_is_given_back_and_another_one_used(platform: Platform) -> None:
    app = await platform.deploy()
    platform.containers.reserved[app.id] = 9000
    platform.containers.strangers = {9000}
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid) == ("running", 9001)
    assert platform.containers.reserved == {app.id: 9001}


async def test_what_an_own_broken_creation_left_is_destroyed_first(platform: Platform) -> None:
    platform.containers.wrecks = {9000}
    app = await platform.deploy()
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.vmid, platform.containers.wrecks) == ("running", 9000, set())


async def test_what_takes_too_long_is_ended_and_undone(platform: Platform) -> None:
    app = await platform.deploy()
    operation = await platform.store.find_unfinished(app.id)
    assert operation is not None
    long_ago = operation_tables.operations.update().values(started_at=now() - timedelta(hours=5))
    await platform.database.write(lambda connection: connection.execute(long_ago))
    await platform.run()
    ended = await platform.store.get_operation(operation.id)
    assert ended.status == "failed"
    assert "longer than 3.0 hours" in ended.error
    assert (await platform.store.get_app(app.id)).status == "error"
    assert platform.containers.containers == {}
