"""FinishOperation: the end of an operation of another service."""

from __future__ import annotations

import pytest

from services.apps.domain.errors import AppStateError
from tests.fakes.app_upgrades import (
    back_up,
    deploy,
    restore,
    roll_back,
    upgrade,
)
from tests.fakes.apps_service import Service


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
