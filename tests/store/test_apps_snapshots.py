"""Snapshots before risky steps, on both databases, with the real engine and containers in memory."""

# ruff: noqa: F811 - parameters are named like the fixtures they take

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from services.apps.domain.entities import App
from services.apps.domain.resources import ResourceChanges
from services.apps.domain.values import ValueChanges
from services.apps.store.tables import upgrades
from services.apps.usecases.migrate_app import migrate_app
from services.apps.usecases.perform_app_action import perform_app_action
from services.apps.usecases.snapshot_cleanup import drop_left_snapshots
from services.apps.usecases.update_app import RequestedChanges, update_app
from tests.fakes.app_upgrades import deploy, list_messages, read_definition, read_what_runs, settle, upgrade
from tests.fakes.apps_platform import Platform, asked, platform  # noqa: F401 - fixtures
from tests.store.apps_db import db  # noqa: F401 - fixture

LIGHT = {"THEME": "light"}


class Forgetful(dict[Any, Any]):
    """Snapshots that are gone when they are needed."""

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """Keep nothing."""
        return default


async def update(
    platform: Platform, app: App, *, environment: Mapping[str, str] = LIGHT, **resources: int
) -> App:
    await update_app(
        platform.dependencies,
        app.id,
        requester=asked(),
        changes=RequestedChanges(
            resources=ResourceChanges(**resources), values=ValueChanges(environment=environment)
        ),
    )
    return await settle(platform, app.id)


async def count_kept(platform: Platform) -> int:
    query = sa.select(sa.func.count()).select_from(upgrades)
    return int(await platform.database.read(lambda connection: connection.execute(query).scalar_one()))


@pytest.mark.parametrize("snapshots", [True, False], ids=["snapshot", "none"])
@pytest.mark.parametrize("runtime", ["compose", "oci"])
async def test_what_does_not_run_with_its_new_values_gets_the_old_ones_back(
    platform: Platform, runtime: str, snapshots: bool
) -> None:
    before = await deploy(platform, runtime=runtime)
    platform.containers.can_snapshot = snapshots
    platform.containers.silent = {'THEME: "light"'}
    platform.containers.broken = {"reboot_container": 3}
    after = await update(platform, before, memory=1024, disk_size=30)
    assert (after.status, after.error) == ("running", "")
    assert (after.config, after.environment, after.rendering) == (
        before.config,
        before.environment,
        before.rendering,
    )
    container = platform.containers.containers[after.vmid or 0]
    assert (container.status, container.memory) == ("running", (before.config.memory or 0) * 1024**2)
    assert 'THEME: "light"' not in read_what_runs(platform, after)
    assert (platform.containers.snapshots, await count_kept(platform)) == ({}, 0)
    messages = " ".join(await list_messages(platform, after))
    assert ("was taken before the environment changes" in messages) == snapshots
    assert ("a failure sets the former values back" in messages) == (not snapshots)


async def test_a_change_that_works_leaves_no_snapshot(platform: Platform) -> None:
    app = await deploy(platform)
    platform.containers.broken = {"delete_snapshot": 1}
    app = await update(platform, app, disk_size=30)
    assert (app.status, app.environment["THEME"], app.config.disk_size) == ("running", "light", 30)
    assert 'THEME: "light"' in read_definition(platform, app)
    assert (platform.containers.snapshots, await count_kept(platform)) == ({}, 0)
    taken = [line for line in await list_messages(platform, app) if "was taken before" in line]
    assert len(taken) == 1
    await update(platform, app, environment={}, memory=2048)
    assert [line for line in await list_messages(platform, app) if "was taken before" in line] == taken


@pytest.mark.parametrize("way", ["snapshot", "none", "lost"])
async def test_an_update_goes_back_to_its_snapshot_else_to_its_backup(platform: Platform, way: str) -> None:
    app = await deploy(platform)
    platform.containers.silent = {"adminer:r2"}
    platform.containers.can_snapshot = way != "none"
    if way == "snapshot":
        platform.containers.broken = {"restore_container": 99}
    if way == "lost":
        platform.containers.snapshots = Forgetful()
    app = await upgrade(platform, app)
    assert (app.status, app.revision, app.error) == ("running", "r1", "")
    assert "adminer:r1" in read_definition(platform, app)
    messages = " ".join(await list_messages(platform, app))
    assert ("Going back to the backup" in messages) == (way != "snapshot")
    assert ("the backup takes its place" in messages) == (way == "none")
    assert platform.containers.snapshots == {}


async def test_what_was_left_is_deleted_before_a_move_and_by_the_clean_up(platform: Platform) -> None:
    app = await deploy(platform)
    taken = platform.containers.snapshots
    ours, theirs = (app.vmid or 0, "proximity-clone-9001"), (app.vmid or 0, "mine")
    packed = platform.containers.pack(app.vmid or 0)
    taken[ours] = packed
    await migrate_app(platform.dependencies, app.id, requester=asked(), node="pve2")
    app = await settle(platform, app.id)
    assert (app.status, app.node, taken) == ("running", "pve2", {})
    taken |= {ours: packed, theirs: packed}
    await perform_app_action(platform.dependencies, app.id, action="restart", requester=asked())
    assert await drop_left_snapshots(platform.store, platform.containers) == 0, "it is being worked on"
    await settle(platform, app.id)
    platform.containers.broken = {"drop_snapshots": 1}
    assert await drop_left_snapshots(platform.store, platform.containers) == 0, "the host is silent"
    assert await drop_left_snapshots(platform.store, platform.containers) == 1
    assert list(taken) == [theirs]
