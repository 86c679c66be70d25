"""RollbackApp: back to the version before an update, with its data."""

from __future__ import annotations

import dataclasses

import pytest

from services.apps.domain.changes import ChangeApp
from services.apps.domain.errors import AppStateError
from tests.fakes.app_upgrades import (
    deploy,
    read_definition,
    roll_back,
    upgrade,
)
from tests.fakes.apps_platform import Platform


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
    for operation_id, made in platform.backups.made.items():
        platform.backups.made[operation_id] = dataclasses.replace(made, is_broken=True)
    with pytest.raises(AppStateError, match="is broken"):
        await roll_back(platform, app)
    platform.backups.made.clear()
    with pytest.raises(AppStateError, match="is gone"):
        await roll_back(platform, app)


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
