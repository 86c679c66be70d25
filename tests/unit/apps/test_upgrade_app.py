"""UpgradeApp: another revision of the catalog item, after a backup."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from services.apps.domain.errors import AppStateError, NotAvailableError
from services.apps.store.tables import operation_tables
from services.apps.usecases.adoption import adopt_container
from services.apps.usecases.dependencies import Requester
from services.apps.usecases.upgrades import rollback_app, upgrade_app
from services.clients.apps.errors import AppBusyError
from services.clients.inventory.values import Ref
from services.common.core.errors import NotFoundError, UnavailableError
from services.common.operations.engine import Engine
from services.common.operations.model import ClaimedOperation
from services.common.operations.store import SqlOperationStore
from tests.fakes.app_upgrades import (
    COMPOSE,
    deploy,
    deploy_image,
    list_messages,
    read_definition,
    read_what_runs,
    roll_back,
    settle,
    upgrade,
)
from tests.fakes.apps_platform import Platform, asked


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
            return await super().update_step(operation, position, step=step, **more)

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


async def test_what_cannot_be_upgraded_is_refused_before_anything_happens(platform: Platform) -> None:
    app = await deploy(platform, revisions=("r1",))
    with pytest.raises(AppStateError, match="r1 already"):
        await upgrade(platform, app)
    with pytest.raises(NotFoundError, match="r9"):
        await upgrade(platform, app, revision="r9")
    platform.catalog.revisions.append("r2")
    await upgrade_app(platform.dependencies, app.id, requester=asked())
    with pytest.raises(AppBusyError):
        await upgrade(platform, await platform.store.get_app(app.id))
    platform.containers.containers[300] = platform.containers.containers[app.vmid or 0].__class__(
        host_id=1, vmid=300, node="pve1", name="old", status="running"
    )
    adopted = await adopt_container(
        platform.dependencies, Ref(1, 300, "pve1"), requester=asked(), kind="custom", port=80, owner_id=1
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
        await upgrade_app(platform.dependencies, app.id, requester=Requester(operation_id, 1))
    else:
        await rollback_app(platform.dependencies, app.id, requester=Requester(operation_id, 1))
    died = await run_dying(platform, app.id)
    found = await platform.store.get_operation(operation_id)
    assert died == len(found.steps) >= 4
    assert (found.status, {step.status for step in found.steps}) == ("succeeded", {"done"})
    app = await platform.store.get_app(app.id)
    assert (app.status, app.revision) == ("running", "r2" if direction == "upgrade_app" else "r1")
    assert f"adminer:{app.revision}" in read_what_runs(platform, app)
    assert list(platform.containers.containers) == [app.vmid]


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


async def test_an_image_waits_for_an_inventory_that_names_its_volumes(platform: Platform) -> None:
    before = await deploy_image(platform)
    platform.containers.names_mounts = False
    await upgrade_app(platform.dependencies, before.id, requester=Requester("op-of-mounts", 1))
    async with asyncio.timeout(60):
        while "names the volumes" not in (await platform.store.get_operation("op-of-mounts")).waiting_for:
            await platform.run()
            await asyncio.sleep(0.02)
    assert platform.containers.volumes[before.vmid or 0] == {"/data": "mine", "/config": "also mine"}
    platform.containers.names_mounts = True
    assert (await settle(platform, before.id)).revision == "r2"
    assert platform.containers.volumes[before.vmid or 0] == {"/data": "mine", "/config": "also mine"}
