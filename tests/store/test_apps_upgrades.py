"""Upgrades and the way back, on both databases, with the real engine and containers in memory."""

# ruff: noqa: F811 - parameters are named like the fixtures they take

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.changes import ChangeApp
from services.apps.domain.errors import AppBusyError, AppStateError, NotAvailableError
from services.apps.domain.values import ValueChanges
from services.apps.store.tables import operation_tables
from services.apps.usecases.adoption import adopt_container
from services.apps.usecases.clone_app import clone_app
from services.apps.usecases.dependencies import Requester
from services.apps.usecases.update_app import update_app
from services.apps.usecases.upgrades import rollback_app, upgrade_app
from services.clients.inventory.values import Ref
from services.common.core.errors import NotFoundError, UnavailableError
from services.common.operations.engine import Engine
from services.common.operations.model import ClaimedOperation
from services.common.operations.store import SqlOperationStore
from tests.store.apps_db import db  # noqa: F401 - fixtures
from tests.store.apps_platform import Platform, asked, platform  # noqa: F401 - fixtures
from tests.store.apps_service import Service, call, inner, service  # noqa: F401 - fixtures
from tests.store.apps_upgrades import (
    COMPOSE,
    back_up,
    deploy,
    deploy_image,
    list_messages,
    read_definition,
    read_what_runs,
    restore,
    roll_back,
    settle,
    upgrade,
)


async def test_an_upgrade_backs_up_first_and_brings_the_new_version_up(platform: Platform) -> None:
    before = await deploy(platform)
    after = await upgrade(platform, before)
    assert (after.status, after.revision, after.error) == ("running", "r2", "")
    assert "adminer:r2" in read_definition(platform, after)
    (old,) = platform.containers.archives.values()
    assert (old.container.vmid, "adminer:r1" in old.files[COMPOSE]) == (before.vmid, True)
    assert after.environment == before.environment
    assert (after.public_port, after.url) == (before.public_port, before.url)


async def test_a_version_that_does_not_answer_gives_way_to_the_one_before(platform: Platform) -> None:
    before = await deploy(platform)
    platform.containers.silent = {"adminer:r2"}
    after = await upgrade(platform, before)
    assert (after.status, after.revision, after.error) == ("running", "r1", "")
    assert after.rendering == before.rendering
    assert "adminer:r1" in read_definition(platform, after)
    assert platform.containers.containers[after.vmid or 0].status == "running"
    messages = await list_messages(platform, after)
    assert "What ran before answers again" in messages
    operations, _ = await platform.store.list_operations(after.id, page=1, per_page=1)
    assert (operations[0].status, "does not answer" in operations[0].error) == ("failed", True)
    with pytest.raises(AppStateError, match="no update to go back from"):
        await roll_back(platform, after)


async def test_an_app_that_no_version_gets_to_answer_is_in_error(platform: Platform) -> None:
    before = await deploy(platform)
    platform.containers.answers = False
    after = await upgrade(platform, before)
    assert (after.status, after.revision) == ("error", "r1")
    assert "does not answer" in after.error


async def test_without_a_backup_nothing_is_touched(platform: Platform) -> None:
    before = await deploy(platform)
    platform.backups.error = "no space left"
    after = await upgrade(platform, before)
    assert (after.status, after.revision, after.rendering) == ("running", "r1", before.rendering)
    assert "adminer:r1" in read_definition(platform, after)
    assert any("no space left" in message for message in await list_messages(platform, after))


async def test_a_stopped_app_is_stopped_again_after_its_upgrade(platform: Platform) -> None:
    app = await deploy(platform)
    await platform.act(app.id, "stop")
    await platform.run()
    after = await upgrade(platform, await platform.store.get_app(app.id))
    assert (after.status, after.revision, after.address) == ("stopped", "r2", "")
    assert platform.containers.containers[after.vmid or 0].status == "stopped"


async def test_a_stopped_app_is_stopped_again_after_a_failure(platform: Platform) -> None:
    app = await deploy(platform)
    await platform.act(app.id, "stop")
    await platform.run()
    platform.containers.silent = {"adminer:r2"}
    after = await upgrade(platform, await platform.store.get_app(app.id))
    assert (after.status, after.revision, after.error) == ("stopped", "r1", "")
    assert platform.containers.containers[after.vmid or 0].status == "stopped"


async def test_going_back_by_hand_restores_version_after_version(platform: Platform) -> None:
    app = await deploy(platform, revisions=("r1", "r2", "r3"))
    app = await upgrade(platform, app, revision="r2")
    app = await upgrade(platform, app)
    assert app.revision == "r3"
    for revision in ("r2", "r1"):
        app = await roll_back(platform, app)
        assert (app.status, app.revision) == ("running", revision)
        assert f"adminer:{revision}" in read_definition(platform, app)
    with pytest.raises(AppStateError, match="no update to go back from"):
        await roll_back(platform, app)
    again = await upgrade(platform, app, revision="r3")
    assert (again.status, again.revision) == ("running", "r3")


async def test_a_way_back_that_fails_leaves_the_new_version(platform: Platform) -> None:
    app = await upgrade(platform, await deploy(platform))
    platform.containers.silent = {"adminer:r1"}
    app = await roll_back(platform, app)
    assert (app.status, app.revision, app.error) == ("running", "r2", "")
    assert "adminer:r2" in read_definition(platform, app)
    platform.containers.silent = set()
    assert (await roll_back(platform, app)).revision == "r1"


async def test_a_way_back_needs_its_backup(platform: Platform) -> None:
    app = await upgrade(platform, await deploy(platform))
    platform.backups.made.clear()
    with pytest.raises(AppStateError, match="is gone"):
        await roll_back(platform, app)


async def test_what_cannot_be_upgraded_is_refused_before_anything_happens(platform: Platform) -> None:
    app = await deploy(platform, revisions=("r1",))
    with pytest.raises(AppStateError, match="r1 already"):
        await upgrade(platform, app)
    with pytest.raises(NotFoundError, match="r9"):
        await upgrade(platform, app, revision="r9")
    platform.catalog.revisions.append("r2")
    await upgrade_app(platform.dependencies, app.id, asked())
    with pytest.raises(AppBusyError):
        await upgrade(platform, await platform.store.get_app(app.id))
    platform.containers.containers[300] = platform.containers.containers[app.vmid or 0].__class__(
        host_id=1, vmid=300, node="pve1", name="old", status="running"
    )
    adopted = await adopt_container(
        platform.dependencies, Ref(1, 300, "pve1"), asked(), kind="custom", port=80, owner_id=1
    )
    await platform.run()
    with pytest.raises(NotAvailableError, match="adopted"):
        await upgrade(platform, await platform.store.get_app(adopted.id))


async def test_what_does_not_answer_for_a_while_holds_an_upgrade_up_only(platform: Platform) -> None:
    app = await deploy(platform)
    platform.containers.silent = {"adminer:r2"}
    platform.containers.broken = dict.fromkeys(
        ("start_container", "stop_container", "restore_container", "get_container"), 1
    )
    after = await upgrade(platform, app)
    assert (after.status, after.revision) == ("running", "r1")


@pytest.mark.parametrize("runtime", ["compose", "oci"])
@pytest.mark.parametrize("direction", ["upgrade_app", "rollback_app"])
async def test_a_worker_that_dies_in_any_step_is_followed_by_one_that_ends_the_work(
    platform: Platform, direction: str, runtime: str
) -> None:
    """Every step runs twice: what it did is committed by nobody the first time."""
    app = await deploy(platform, runtime=runtime)
    if direction == "rollback_app":
        app = await upgrade(platform, app)
    operation_id = uuid.uuid4().hex
    if direction == "upgrade_app":
        await upgrade_app(platform.dependencies, app.id, Requester(operation_id, 1))
    else:
        await rollback_app(platform.dependencies, app.id, Requester(operation_id, 1))
    died = await run_dying(platform, app.id)
    found = await platform.store.get_operation(operation_id)
    assert died == len(found.steps) >= 4
    assert (found.status, {step.status for step in found.steps}) == ("succeeded", {"done"})
    app = await platform.store.get_app(app.id)
    assert (app.status, app.revision) == ("running", "r2" if direction == "upgrade_app" else "r1")
    assert f"adminer:{app.revision}" in read_what_runs(platform, app)
    assert list(platform.containers.containers) == [app.vmid]


async def run_dying(platform: Platform, app_id: str) -> int:
    """Run the one operation with workers that each die before they commit a step; how many steps there were."""
    died: set[int] = set()

    class DyingStore(SqlOperationStore):
        async def update_step(
            self, operation: ClaimedOperation, position: int, step: dict[str, Any], **more: Any
        ) -> bool:
            if step.get("status") == "done" and position not in died:
                died.add(position)
                raise UnavailableError("the worker died here")
            return await super().update_step(operation, position, step, **more)

    store = platform.store
    operations = DyingStore(platform.database, operation_tables, apply=store.apply, log=store.log)
    engine = Engine(operations, platform.engine._workflows, worker="w2", retry_s=0.01)
    free = operation_tables.operations.update().values(lease_until=None)
    async with asyncio.timeout(60):
        while (await store.get_app(app_id)).status == "updating":
            if (operation := await operations.claim_next("w2")) is not None:
                await engine.run(operation)
            await platform.database.write(lambda connection: connection.execute(free))
            await asyncio.sleep(0.02)
    return len(died)


async def test_a_changed_value_reaches_the_definition(platform: Platform) -> None:
    app = await deploy(platform, revisions=("r1", "r2"))
    await update_app(
        platform.dependencies,
        app.id,
        asked(),
        name=None,
        resources={},
        values=ValueChanges(environment={"THEME": "light"}),
    )
    await platform.run()
    app = await platform.store.get_app(app.id)
    assert 'THEME: "light"' in read_definition(platform, app)
    assert (app.revision, app.environment["THEME"]) == ("r1", "light")


async def test_a_copy_keeps_the_project_whose_volumes_it_has(platform: Platform) -> None:
    source = await deploy(platform)
    copy = (await clone_app(platform.dependencies, source.id, asked(), hostname="web-02")).app
    await platform.run()
    copy = await upgrade(platform, await platform.store.get_app(copy.id))
    assert copy.revision == "r2"
    assert read_definition(platform, copy).startswith("name: web-01\n")


async def test_apps_say_that_an_update_is_available(service: Service) -> None:
    app = await deploy(service.platform)
    newest = service.updates
    assert not (await service.api.get_app(pb.GetAppRequest(app_id=app.id), call())).message.HasField("update")
    await newest.refresh()
    shown = (await service.api.get_app(pb.GetAppRequest(app_id=app.id), call())).message
    assert (shown.update.revision, shown.update.version) == ("r2", "version r2")
    (listed,) = (await service.api.list_apps(pb.ListAppsRequest(), call())).message.apps
    assert listed.update.revision == "r2"
    asked_call = call()
    answer = await service.api.upgrade_app(pb.UpgradeAppRequest(app_id=app.id), asked_call)
    assert (answer.operation_id, answer.app_id) == (asked_call.request_id, app.id)
    await settle(service.platform, app.id)
    assert not (await service.api.get_app(pb.GetAppRequest(app_id=app.id), call())).message.HasField("update")
    await service.api.rollback_app(pb.RollbackAppRequest(app_id=app.id), call())
    await settle(service.platform, app.id)
    assert (await service.api.get_app(pb.GetAppRequest(app_id=app.id), call())).message.revision == "r1"


async def test_an_image_is_exchanged_and_its_volumes_stay(platform: Platform) -> None:
    before = await deploy_image(platform)
    platform.catalog.mounts = (("/data", 1), ("/cache", 1))
    after = await upgrade(platform, before)
    assert (after.status, after.revision, after.vmid) == ("running", "r2", before.vmid)
    containers, vmid = platform.containers, after.vmid or 0
    assert "adminer:r2" in containers.images[vmid]
    assert containers.volumes[vmid] == {"/cache": "", "/data": "mine", "/config": "also mine"}
    assert list(containers.containers) == [vmid]
    assert list(containers.reserved) == [after.id]
    again = await roll_back(platform, after)
    assert (again.status, again.revision) == ("running", "r1")
    assert "adminer:r1" in containers.images[vmid]
    assert containers.volumes[vmid] == {"/data": "mine", "/config": "also mine"}


@pytest.mark.parametrize("was", ["running", "stopped"])
async def test_an_image_that_does_not_answer_gives_way_to_the_one_before(
    platform: Platform, was: str
) -> None:
    before = await deploy_image(platform)
    if was == "stopped":
        await platform.act(before.id, "stop")
        await platform.run()
    platform.containers.silent = {"adminer:r2"}
    after = await upgrade(platform, await platform.store.get_app(before.id))
    containers, vmid = platform.containers, after.vmid or 0
    assert (after.status, after.revision, after.error) == (was, "r1", "")
    assert (containers.containers[vmid].status, list(containers.reserved)) == (was, [after.id])
    assert "adminer:r1" in containers.images[vmid]
    assert containers.volumes[vmid] == {"/data": "mine", "/config": "also mine"}


async def test_what_fails_for_a_while_holds_the_exchange_of_an_image_up_only(platform: Platform) -> None:
    before = await deploy_image(platform)
    platform.containers.broken = dict.fromkeys(("move_volume", "destroy_container"), 1)
    after = await upgrade(platform, before)
    assert (after.status, after.revision) == ("running", "r2")
    volumes = platform.containers.volumes[after.vmid or 0]
    assert volumes == {"/data": "mine", "/config": "also mine"}


async def test_volumes_that_cannot_be_moved_leave_the_image_as_it_was(platform: Platform) -> None:
    """As on a storage that cannot rename them, or where a snapshot holds them: known before anything is destroyed."""
    before = await deploy_image(platform)
    platform.containers.broken = {"move_volume": 99}
    after = await upgrade(platform, before)
    assert (after.status, after.revision) == ("running", "r1")
    containers, vmid = platform.containers, after.vmid or 0
    assert containers.volumes[vmid] == {"/data": "mine", "/config": "also mine"}
    assert list(containers.containers) == [vmid]


async def test_an_app_in_error_goes_back_by_hand_also_without_its_container(platform: Platform) -> None:
    for has_container in (True, False):
        app = await upgrade(platform, await deploy(platform, runtime="oci" if has_container else "compose"))
        await platform.store.change(ChangeApp(app.id, {"status": "error", "error": "broken"}))
        if not has_container:
            del platform.containers.containers[app.vmid or 0]
        app = await roll_back(platform, await platform.store.get_app(app.id))
        assert (app.status, app.revision, app.error) == ("running", "r1", "")
        await platform.act(app.id, "delete")
        await platform.run()


async def test_a_way_back_that_fails_leaves_an_app_in_error_in_error(platform: Platform) -> None:
    app = await upgrade(platform, await deploy(platform))
    await platform.store.change(ChangeApp(app.id, {"status": "error", "error": "broken"}))
    platform.backups.error = "no space left"
    app = await roll_back(platform, await platform.store.get_app(app.id))
    assert (app.status, app.revision) == ("error", "r2")
    assert "no space left" in app.error


async def test_a_restored_backup_brings_its_version_back(service: Service) -> None:
    platform = service.platform
    app = await deploy(platform, revisions=("r1", "r2", "r3"))
    first = await back_up(service, app)
    app = await upgrade(platform, app, revision="r2")
    second = await back_up(service, app)
    app = await upgrade(platform, app)
    assert app.revision == "r3"
    app = await restore(service, app, second, succeeded=False)
    assert app.revision == "r3"
    app = await restore(service, app, second)
    assert (app.revision, app.rendering["version"]) == ("r2", "version r2")
    assert "adminer:r2" in app.rendering["compose"]
    app = await roll_back(platform, app)
    assert app.revision == "r1"
    app = await upgrade(platform, app)
    app = await restore(service, app, first)
    assert (app.revision, await platform.store.find_upgrade(app.id)) == ("r1", None)
    with pytest.raises(AppStateError, match="no update to go back from"):
        await roll_back(platform, app)
    assert (await restore(service, app, "of-nobody")).revision == "r1"


async def test_a_backup_that_an_update_or_a_way_back_made_brings_its_version_back(service: Service) -> None:
    platform = service.platform
    app = await upgrade(platform, await deploy(platform))
    (by_upgrade,) = platform.backups.made
    app = await roll_back(platform, app)
    (by_rollback,) = set(platform.backups.made) - {by_upgrade}
    app = await restore(service, app, by_rollback)
    assert (app.revision, app.rendering["version"]) == ("r2", "version r2")
    assert (await restore(service, app, by_upgrade)).revision == "r1"


async def test_an_app_made_of_an_older_backup_is_of_its_version(service: Service) -> None:
    platform = service.platform
    app = await deploy(platform)
    made_by = await back_up(service, app)
    await upgrade(platform, app)
    (archive,) = platform.containers.archives
    request = pb.RestoreBesideRequest(
        operation_id=uuid.uuid4().hex,
        source_app_id=app.id,
        archive=archive,
        new_hostname="web-02",
        made_by=made_by,
    )
    beside = await platform.store.get_app((await service.internal.restore_beside(request, inner())).app_id)
    assert beside.revision == "r1"
    assert "adminer:r1" in beside.rendering["compose"]
    assert f"{beside.public_port}:8080" in beside.rendering["compose"]
    await platform.run()
    beside = await platform.store.get_app(beside.id)
    assert (beside.status, beside.error) == ("running", "")
    assert beside.vmid is not None
    container = platform.containers.containers[beside.vmid]
    assert container.memory == beside.config["memory"] * 1024**2  # whatever the archive has
