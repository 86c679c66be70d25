"""An app moves to another platform: on another Proxmox host, and on the same one."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from services.apps.domain.entities import App
from services.apps.usecases.reconcile_apps import reconcile_apps
from services.inventory.proxmox.marks import find_owner
from tests.failpoints.insides import GuestAccess, ShopCatalog, make_insides
from tests.failpoints.moving import export, import_document
from tests.failpoints.platform import Platform, find_end
from tests.failpoints.stages import migrated
from tests.failpoints.wiring import open_platform
from tests.pvesim.guest import Guest
from tests.pvesim.instant import InstantProxmox

__all__ = ["migrated"]
PASSPHRASE = "correct horse battery staple"
_FILE = "/var/lib/docker/volumes/web-01_data/_data/file"
_SECRET = "s3cret'x"  # of the catalog in memory


@dataclass
class Move:
    """A platform with an app and its backup, and the document of the app."""

    platform: Platform
    app: App
    document: dict[str, Any]
    folder: Path
    migrated: Path
    platforms: AsyncExitStack

    @property
    def archive(self) -> str:
        """The archive, as the first platform names it."""
        return str(self.document["archive"]["volume_id"])

    async def open_other(self, proxmox: InstantProxmox) -> Platform:
        """Open a platform that knows nothing of the first one."""
        folder = self.folder / "other"
        folder.mkdir()
        opened = open_platform(self.migrated, folder, proxmox, access=GuestAccess, catalog=ShopCatalog())
        return await self.platforms.enter_async_context(opened)


def find_guest(platform: Platform, vmid: int | None) -> Guest:
    inside = platform.proxmox.cluster.containers[vmid or 0].guest
    guest: Guest = inside.guest  # type: ignore[union-attr]
    return guest


def describe(platform: Platform, app: App) -> Any:
    """Describe the container of an app."""
    one = platform.proxmox.cluster.containers[app.vmid or 0]
    return one.node, dict(one.config), one.running


@pytest.fixture
async def move(migrated: Path, tmp_path: Path) -> AsyncIterator[Move]:
    folder = tmp_path / "first"
    folder.mkdir()
    async with AsyncExitStack() as platforms:
        opened = open_platform(migrated, folder, make_insides(), access=GuestAccess, catalog=ShopCatalog())
        platform = await platforms.enter_async_context(opened)
        app = await platform.deploy()
        await platform.settle()
        app = await platform.apps.get_app(app.id)
        assert app.status == "running", app.error
        find_guest(platform, app.vmid).fs.write(_FILE, b"mine")
        await platform.back_up(app.id)
        await platform.settle()
        document = await export(platform, app.id, passphrase=PASSPHRASE)
        before = describe(platform, app)
        yield Move(platform, app, document, tmp_path, migrated, platforms)
        assert describe(platform, app) == before, "the original is not touched"
        assert (await platform.apps.get_app(app.id)).status == "running"


async def check_moved(move: Move, other: Platform, archive: str) -> App:
    """Import the app on the other platform, and check that it is whole; return it."""
    await import_document(other, move.document, archive=archive, passphrase=PASSPHRASE, hostname="web-01")
    await other.settle()
    assert await find_end(other.desks["apps"], "import_exported_app") == "succeeded"
    [app] = await other.apps.list_all_apps()
    assert (app.status, app.error, app.hostname) == ("running", "", "web-01")
    assert app.environment == move.app.environment
    assert app.environment["PASSWORD"] == _SECRET
    guest = find_guest(other, app.vmid)
    assert guest.fs.read(_FILE) == b"mine"
    assert sorted(one.service for one in guest.docker.containers.values() if one.state == "running") == [
        "db",
        "web",
    ]
    assert find_owner(other.proxmox.cluster.containers[app.vmid or 0].config) == app.id
    return app


async def test_an_app_moves_to_a_platform_on_another_proxmox_host(move: Move) -> None:
    proxmox = make_insides()
    other = await move.open_other(proxmox)
    volume = move.platform.proxmox.cluster.find_volume(move.archive, "pve1")
    assert volume is not None
    # What scp does: the file is on a storage of the other host, under its name.
    copied = replace(copy.deepcopy(volume), storage="local", node="pve1")
    proxmox.cluster.add("volumes", copied.key, copied)
    archive = f"local:{volume.name}"
    await check_moved(move, other, archive)


async def test_both_platforms_may_use_one_proxmox_host(move: Move) -> None:
    other = await move.open_other(move.platform.proxmox)
    app = await check_moved(move, other, move.archive)
    assert app.vmid != move.app.vmid
    assert find_owner(other.proxmox.cluster.containers[move.app.vmid or 0].config) == move.app.id
    # Neither platform takes the container of the other one for its own.
    await reconcile_apps(move.platform.dependencies)
    await reconcile_apps(other.dependencies)
    [theirs], [ours] = await move.platform.apps.list_all_apps(), await other.apps.list_all_apps()
    assert (theirs.vmid, theirs.conditions, ours.vmid, ours.conditions) == (move.app.vmid, (), app.vmid, ())


@pytest.mark.parametrize("readable", [0.5, 0.99])
async def test_an_archive_that_ends_too_early_leaves_nothing(move: Move, readable: float) -> None:
    other = await move.open_other(move.platform.proxmox)
    volume = other.proxmox.cluster.find_volume(move.archive, "pve1")
    assert volume is not None
    volume.readable = readable
    before = set(other.proxmox.cluster.containers)
    await import_document(other, move.document, archive=move.archive, passphrase=PASSPHRASE)
    await other.settle()
    assert "exit code 2" in await find_end(other.desks["apps"], "import_exported_app")
    [app] = await other.apps.list_all_apps()
    assert (app.status, app.vmid) == ("error", None)
    assert set(other.proxmox.cluster.containers) == before
