"""Whole operations on both databases, with the real engine and containers in memory."""

# ruff: noqa: F811 - parameters are named like the fixtures they take

from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta

import pytest
import sqlalchemy as sa

from deploy.import_django.apps import begin_import
from services.apps.domain.changes import ChangeApp
from services.apps.domain.entities import App, AppFilter
from services.apps.domain.errors import AppBusyError, AppNotFoundError, AppStateError, HostnameTakenError
from services.apps.domain.values import ValueChanges
from services.apps.store.tables import metadata, operation_tables, outbox, ports
from services.apps.usecases.adoption import adopt_container, discover_containers
from services.apps.usecases.clone_app import clone_app
from services.apps.usecases.perform_app_action import perform_app_action
from services.apps.usecases.reconcile_apps import Reconciler
from services.apps.usecases.update_app import update_app
from services.clients.inventory.values import Ref
from services.common.core.clock import now
from tests.store.apps_db import db  # noqa: F401 - fixtures
from tests.store.apps_platform import Platform, StaleStore, asked, platform  # noqa: F401 - fixtures


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


async def test_stop_start_restart_delete(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    assert await platform.act(app.id, "start") is None
    for action, status in (("stop", "stopped"), ("start", "running"), ("restart", "running")):
        assert await platform.act(app.id, action)
        await platform.run()
        assert (await platform.store.get_app(app.id)).status == status
    await platform.act(app.id, "delete")
    with pytest.raises(AppBusyError):
        await platform.act(app.id, "stop")
    await platform.run()
    with pytest.raises(AppNotFoundError):
        await platform.store.get_app(app.id)
    assert platform.containers.containers == {}
    subjects = await platform.database.read(lambda c: c.execute(sa.select(outbox.c.subject)).scalars().all())
    assert "events.apps.v1.app_removed" in subjects


async def test_a_deletion_that_began_waits_for_proxmox(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    platform.containers.broken = {"destroy_container": 4}
    await platform.act(app.id, "delete")
    await platform.run()
    deletion = await platform.store.find_unfinished(app.id)
    assert deletion is not None
    assert (deletion.status, "destroy" in deletion.waiting_for) == ("waiting", True)
    at_once = operation_tables.operations.update().values(not_before=now())
    async with asyncio.timeout(20):
        while await platform.store.find_unfinished(app.id) is not None:
            await platform.database.write(lambda connection: connection.execute(at_once))
            await platform.run()
    assert platform.containers.containers == {}


async def test_a_deletion_that_finds_no_proxmox_fails(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    platform.containers.broken = {"get_container": 3}
    await platform.act(app.id, "delete")
    await platform.run()
    assert (await platform.store.get_app(app.id)).status == "error"
    assert len(platform.containers.containers) == 1


async def test_somebody_elses_app_does_not_exist(platform: Platform) -> None:
    app = await platform.deploy(owner=1)
    with pytest.raises(AppNotFoundError):
        await platform.store.get_app(app.id, owner=2)
    assert await platform.store.list_stamps(AppFilter(owner_id=2), page=1, per_page=10) == ([], 0)


async def test_a_clone_runs_beside_its_source(platform: Platform) -> None:
    source = await platform.deploy()
    await platform.run()
    source = await platform.store.get_app(source.id)
    clone = (await clone_app(platform.dependencies, source.id, asked(), hostname="web-02")).app
    assert clone.status == "cloning"
    await platform.run()
    clone = await platform.store.get_app(clone.id)
    assert (clone.status, clone.vmid) == ("running", 9001)
    assert clone.public_port != source.public_port
    assert f"{clone.public_port}:8080" in platform.containers.files[9001, "/opt/proximity/compose.yaml"]


async def test_a_source_that_must_stop_for_its_clone_is_started_again(platform: Platform) -> None:
    source = await platform.deploy()
    await platform.run()
    source = await platform.store.get_app(source.id)
    platform.containers.can_snapshot = False
    clone = (await clone_app(platform.dependencies, source.id, asked(), hostname="web-02")).app
    await platform.run()
    assert (await platform.store.get_app(clone.id)).status == "running"
    assert platform.containers.containers[9000].status == "running"
    lines = [line.message for line in (await platform.store.list_logs(clone.id, limit=100))[0]]
    assert any("The source is stopped while it is copied" in line for line in lines)
    assert "The source was started again" in lines


async def test_a_source_rests_until_its_copy_is_made(platform: Platform) -> None:
    source = await platform.deploy()
    await platform.run()
    source = await platform.store.get_app(source.id)
    await clone_app(platform.dependencies, source.id, asked(), hostname="web-02")
    with pytest.raises(AppBusyError, match="is being copied"):
        await perform_app_action(platform.dependencies, source.id, "delete", requester=asked())
    await platform.run()
    assert await perform_app_action(platform.dependencies, source.id, "delete", requester=asked())
    with pytest.raises(AppBusyError, match="is removing"):
        await clone_app(platform.dependencies, source.id, asked(), hostname="web-03")


async def test_a_source_that_was_stopped_runs_again_when_its_clone_fails(platform: Platform) -> None:
    source = await platform.deploy()
    await platform.run()
    source = await platform.store.get_app(source.id)
    platform.containers.can_snapshot = False
    platform.containers.broken["clone_container"] = 99
    clone = (await clone_app(platform.dependencies, source.id, asked(), hostname="web-02")).app
    await platform.run_to_the_end()
    assert (await platform.store.get_app(clone.id)).status == "error"
    assert platform.containers.containers[9000].status == "running"
    assert 9001 not in platform.containers.containers


async def test_a_worker_that_dies_while_the_source_is_stopped_leaves_that_written_down(
    platform: Platform,
) -> None:
    source = await platform.deploy()
    await platform.run()
    source = await platform.store.get_app(source.id)
    platform.containers.can_snapshot = False
    platform.containers.hangs = "clone_container"
    clone = (await clone_app(platform.dependencies, source.id, asked(), hostname="web-02")).app
    worker = asyncio.create_task(platform.run())
    await asyncio.wait_for(platform.containers.hung.wait(), 20)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    assert platform.containers.containers[9000].status == "stopped"
    platform.containers.hangs = ""
    over = operation_tables.operations.update().values(lease_until=now() - timedelta(seconds=1))
    await platform.database.write(lambda connection: connection.execute(over))
    platform.containers.can_snapshot = True  # nothing reminds of it but the state
    await platform.run_to_the_end()
    assert (await platform.store.get_app(clone.id)).status == "running"
    assert platform.containers.containers[9000].status == "running"


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


async def test_an_adopted_container_is_left_alone_when_its_app_is_deleted(platform: Platform) -> None:
    platform.containers.add_container(Ref(1, 300, "pve1"), name="old-box", status="running")
    found = await discover_containers(platform.dependencies, None)
    assert [item.vmid for item in found] == [300]
    app = await adopt_container(
        platform.dependencies, Ref(1, 300, "pve1"), asked(), kind="custom", port=None, owner_id=1
    )
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.status, app.internal_port, app.runtime) == ("running", 80, "adopted")
    assert await discover_containers(platform.dependencies, None) == []
    await platform.act(app.id, "delete")
    await platform.run()
    assert platform.containers.containers[300].status == "running"
    assert platform.containers.containers[300].owner == ""


def make_imported(error: str = "") -> App:
    return App(
        id="nginx-0000000f",
        catalog_id="nginx",
        name="old",
        hostname="old-box",
        status="adopting",
        host_id=1,
        node="elsewhere",
        vmid=300,
        owner_id=1,
        runtime="adopted",
        adopted=True,
        error=error,
        created_at=now(),
        updated_at=now(),
        state_changed_at=now(),
    )


@pytest.mark.parametrize(("before", "after"), [("stopped", "running"), ("error", "error")])
async def test_the_container_of_an_imported_app_is_marked_and_says_how_it_is(
    platform: Platform, before: str, after: str
) -> None:
    platform.containers.add_container(Ref(1, 300, "pve1"), name="old-box", status="running")
    app = make_imported("its reason" if before == "error" else "")
    assert await platform.store.add_app(app, begin_import(app, before))
    await platform.run()
    found = await platform.store.get_app(app.id)
    assert (found.status, found.node, found.error) == (after, "pve1", app.error)
    assert platform.containers.containers[300].owner == app.id


async def test_an_imported_app_whose_container_is_gone_stays_and_says_so(platform: Platform) -> None:
    app = make_imported()
    assert await platform.store.add_app(app, begin_import(app, "running"))
    await platform.run()
    found = await platform.store.get_app(app.id)
    assert (found.status, found.vmid) == ("error", 300)
    assert "host 1 has no container 300" in found.error


async def test_reconcile_believes_only_hosts_that_answer(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    reconciler = Reconciler(platform.store, platform.containers)
    await platform.containers.stop_container(Ref(1, 9000, "pve1"), owner=app.id)
    platform.containers.complete = False
    assert (await reconciler.reconcile()).skipped == (1,)
    assert (await platform.store.get_app(app.id)).status == "running"
    platform.containers.complete = True
    result = await reconciler.reconcile()
    assert [item.type for item in result.findings] == ["stopped_outside"]
    assert (await platform.store.get_app(app.id)).status == "stopped"


async def test_an_app_is_missing_only_when_two_complete_scans_say_so(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    reconciler = Reconciler(platform.store, platform.containers)
    container = platform.containers.containers.pop(9000)
    for is_complete in (True, False):
        platform.containers.complete = is_complete
        found = (await reconciler.reconcile()).findings
        assert [item.type for item in found] == ["missing"] * is_complete
        assert (await platform.store.get_app(app.id)).conditions == ()
    platform.containers.complete = True
    await reconciler.reconcile()
    (condition,) = (await platform.store.get_app(app.id)).conditions
    assert (condition.type, condition.message) == ("missing", "container 9000 of host 1 is gone")
    platform.containers.containers[9000] = container
    assert (await reconciler.reconcile()).findings == ()
    assert (await platform.store.get_app(app.id)).conditions == ()


async def test_who_asks_for_reconciliation_gets_both_scans_at_once(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    platform.containers.containers.pop(9000)
    await Reconciler(platform.store, platform.containers).reconcile(look_again=True)
    (condition,) = (await platform.store.get_app(app.id)).conditions
    assert condition.type == "missing"


async def test_an_operation_is_cancelled_and_undone(platform: Platform) -> None:
    app = await platform.deploy()
    operation = await platform.store.find_unfinished(app.id)
    assert operation is not None
    assert await platform.store.request_cancel(operation.id)
    await platform.run()
    assert (await platform.store.get_operation(operation.id)).status == "cancelled"
    assert platform.containers.containers == {}


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


async def test_changed_memory_reaches_the_container(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    app = await platform.store.get_app(app.id)
    await update_app(
        platform.dependencies,
        app.id,
        asked(),
        name="New",
        resources={"memory": 1024},
        values=ValueChanges(environment={"THEME": "light"}),
    )
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert (app.name, app.status, app.config["memory"]) == ("New", "running", 1024)
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
        asked(),
        name=None,
        resources={"memory": 1024},
        values=ValueChanges(environment={"THEME": "light"}),
    )
    await platform.run()
    late = dataclasses.replace(platform.dependencies, store=StaleStore(platform.store, app))
    with pytest.raises(AppBusyError, match="has just ended"):
        await update_app(late, app.id, asked(), name=None, resources={"cores": 3}, values=ValueChanges())
    found = await platform.store.get_app(app.id)
    assert (found.environment["THEME"], found.config["memory"]) == ("light", 1024)


@pytest.mark.parametrize("running", ["running", "stopped"])
async def test_a_changed_app_in_error_is_as_its_container_is(platform: Platform, running: str) -> None:
    app = await platform.deploy()
    await platform.run()
    await platform.store.change(ChangeApp(app.id, {"status": "error", "error": "stopping failed"}))
    found = platform.containers.containers[9000]
    platform.containers.containers[9000] = dataclasses.replace(found, status=running)
    app = await platform.store.get_app(app.id)
    await update_app(
        platform.dependencies, app.id, asked(), name="New", resources={"memory": 1024}, values=ValueChanges()
    )
    await platform.run()
    assert (await platform.store.get_app(app.id)).status == running


async def test_an_app_without_container_stays_in_error_when_it_is_renamed(platform: Platform) -> None:
    app = await platform.deploy()
    await platform.run()
    await platform.store.change(ChangeApp(app.id, {"status": "error", "vmid": None}))
    app = await platform.store.get_app(app.id)
    await update_app(platform.dependencies, app.id, asked(), name="New", resources={}, values=ValueChanges())
    await platform.run()
    found = await platform.store.get_app(app.id)
    assert (found.name, found.status) == ("New", "error")
    with pytest.raises(AppStateError, match="has no container"):
        await update_app(
            platform.dependencies,
            found.id,
            asked(),
            name="N",
            resources={"memory": 1024},
            values=ValueChanges(),
        )
