"""CloneApp: a copy runs beside its source, which is as it was."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from services.apps.store.tables import operation_tables
from services.apps.usecases.clone_app import clone_app
from services.apps.usecases.perform_app_action import perform_app_action
from services.clients.apps.errors import AppBusyError
from services.common.core.clock import now
from tests.fakes.app_upgrades import (
    deploy,
    read_definition,
    upgrade,
)
from tests.fakes.apps_platform import Platform, asked


async def test_a_clone_runs_beside_its_source(platform: Platform) -> None:
    source = await platform.deploy()
    await platform.run()
    source = await platform.store.get_app(source.id)
    clone = (await clone_app(platform.dependencies, source.id, requester=asked(), hostname="web-02")).app
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
    clone = (await clone_app(platform.dependencies, source.id, requester=asked(), hostname="web-02")).app
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
    await clone_app(platform.dependencies, source.id, requester=asked(), hostname="web-02")
    with pytest.raises(AppBusyError, match="is being copied"):
        await perform_app_action(platform.dependencies, source.id, action="delete", requester=asked())
    await platform.run()
    assert await perform_app_action(platform.dependencies, source.id, action="delete", requester=asked())
    with pytest.raises(AppBusyError, match="is removing"):
        await clone_app(platform.dependencies, source.id, requester=asked(), hostname="web-03")


async def test_a_source_that_was_stopped_runs_again_when_its_clone_fails(platform: Platform) -> None:
    source = await platform.deploy()
    await platform.run()
    source = await platform.store.get_app(source.id)
    platform.containers.can_snapshot = False
    platform.containers.broken["clone_container"] = 99
    clone = (await clone_app(platform.dependencies, source.id, requester=asked(), hostname="web-02")).app
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
    clone = (await clone_app(platform.dependencies, source.id, requester=asked(), hostname="web-02")).app
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


async def test_a_copy_keeps_the_project_whose_volumes_it_has(platform: Platform) -> None:
    source = await deploy(platform)
    copy = (await clone_app(platform.dependencies, source.id, requester=asked(), hostname="web-02")).app
    await platform.run()
    copy = await upgrade(platform, await platform.store.get_app(copy.id))
    assert copy.revision == "r2"
    assert read_definition(platform, copy).startswith("name: web-01\n")
