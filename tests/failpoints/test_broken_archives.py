"""Restore tests find archives that are broken: each in another way, all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from proximity.backups.v1 import backup_pb2
from proximity.backups.v1 import backups_service_pb2 as pb

from tests.failpoints.insides import GuestAccess, ShopCatalog, make_insides
from tests.failpoints.invariants import check_invariants, describe_strangers
from tests.failpoints.platform import Platform, call
from tests.failpoints.stages import migrated
from tests.failpoints.wiring import open_platform
from tests.pvesim.guest import Guest
from tests.pvesim.model.entities import Volume

__all__ = ["migrated"]
_VOLUMES = "/var/lib/docker/volumes"


@dataclass
class Shop:
    """An app with data, and a backup of it."""

    platform: Platform
    app_id: str
    backup_id: int
    archive: Volume

    def change(self, damage: Callable[[Guest], None]) -> None:
        """Change what is in the archive."""
        guest = Guest.from_dict(self.archive.guest or {})
        damage(guest)
        self.archive.guest = guest.to_dict()

    async def test(self) -> backup_pb2.RestoreTest:
        """Test the backup to the end."""
        await self.platform.backups.test_backup(
            pb.TestBackupRequest(app_id=self.app_id, backup_id=self.backup_id), call()
        )
        await self.platform.settle()
        request = pb.GetBackupRequest(app_id=self.app_id, backup_id=self.backup_id)
        return (await self.platform.backups.get_backup(request, call())).restore_test


@pytest.fixture
async def shop(migrated: Path, tmp_path: Path) -> AsyncIterator[Shop]:
    proxmox = make_insides()
    strangers = describe_strangers(proxmox)
    opened = open_platform(migrated, tmp_path, proxmox, access=GuestAccess, catalog=ShopCatalog())
    async with opened as platform:
        app = await platform.deploy()
        await platform.settle()
        app = await platform.apps.get_app(app.id)
        assert app.status == "running", app.error
        inside = proxmox.cluster.containers[app.vmid or 0].guest
        guest: Guest = inside.guest  # type: ignore[union-attr]
        for name in ("pages", "data"):
            [source] = [path for key, path in guest.docker.volumes.items() if key.endswith(name)]
            guest.fs.make_dir(source, parents=True)
            guest.fs.write(f"{source}/file", b"content")
        backup_id = await platform.back_up(app.id)
        await platform.settle()
        [archive] = [one for one in proxmox.cluster.volumes.values() if one.content == "backup"]
        yield Shop(platform, app.id, backup_id, archive)
        await check_invariants(platform, strangers)
        assert (await platform.apps.get_app(app.id)).status == "running", "the app is not touched"


def find_container(guest: Guest, service: str) -> str:
    return next(name for name, one in guest.docker.containers.items() if one.service == service)


def remove_image(image: str) -> Callable[[Guest], None]:
    def damage(guest: Guest) -> None:
        name = next(name for name in guest.docker.images if image in name)
        del guest.docker.images[name]

    return damage


def remove_container(guest: Guest) -> None:
    del guest.docker.containers[find_container(guest, "web")]


def empty_volume(guest: Guest) -> None:
    source = next(path for name, path in guest.docker.volumes.items() if name.endswith("data"))
    guest.fs.remove(f"{source}/file")


def remove_volume(guest: Guest) -> None:
    name = next(name for name in guest.docker.volumes if name.endswith("pages"))
    guest.fs.remove(guest.docker.volumes.pop(name), recursive=True)


def drop_password(guest: Guest) -> None:
    guest.docker.containers[find_container(guest, "db")].environment.clear()


def forget_restart(guest: Guest) -> None:
    guest.docker.containers[find_container(guest, "web")].restart = "no"


def close_port(guest: Guest) -> None:
    guest.docker.containers[find_container(guest, "web")].ports.clear()


def disable_docker(guest: Guest) -> None:
    guest.services["docker"].enabled = False


def truncate(readable: float) -> Callable[[Shop], None]:
    def damage(shop: Shop) -> None:
        shop.archive.readable = readable

    return damage


def inside(damage: Callable[[Guest], None]) -> Callable[[Shop], None]:
    return lambda shop: shop.change(damage)


BROKEN: dict[str, tuple[Callable[[Shop], None], str, str]] = {
    "truncated in the middle": (truncate(0.5), "restore", "failed: exit code 2"),
    "truncated at the end": (truncate(0.999), "restore", "failed: exit code 2"),
    "empty": (truncate(0), "restore", "contains no configuration file"),
    "without the image of a service": (inside(remove_image("nginx")), "compare", "image nginx:1.27"),
    "without the image of the database": (inside(remove_image("postgres")), "compare", "image postgres:16"),
    "without a container": (inside(remove_container), "containers", "web-1 is missing"),
    "with an empty volume": (inside(empty_volume), "compare", "data is empty"),
    "without a volume": (inside(remove_volume), "compare", "pages is missing"),
    "with a database that does not start": (inside(drop_password), "containers", "db-1 is restarting"),
    "with a service that does not come back": (inside(forget_restart), "containers", "web-1 is exited"),
    "with an app that does not answer": (inside(close_port), "probe", "does not answer"),
    "without Docker": (inside(disable_docker), "containers", "Docker does not answer"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_archive_is_found(shop: Shop, name: str) -> None:
    damage, step, message = BROKEN[name]
    damage(shop)
    test = await shop.test()
    assert (test.status, test.failed_step) == ("failed", step), test
    assert message in test.message


async def test_a_whole_archive_passes(shop: Shop) -> None:
    test = await shop.test()
    assert test.status == "passed", test
    lines = " / ".join(test.log)
    assert "2 containers of Docker run" in lines
    assert "answers" in lines
    assert "2 images and 2 volumes are as they were" in lines
