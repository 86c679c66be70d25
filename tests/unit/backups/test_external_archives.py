"""External archives: the newest that the platform did not make, and samples of how full storages are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from proximity.backups.v1 import backups_service_pb2 as pb

from services.backups.store.tables import external_archives
from services.backups.usecases.external_archives import note_external_archives, sample_storages
from services.clients.inventory.archive_values import BackupStorage
from services.common.core.clock import now
from tests.fakes.apps import APP
from tests.unit.backups.platform import OTHER_APP, Platform, call_of


async def count(platform: Platform) -> dict[str, pb.AppBackups]:
    request = pb.CountBackupsRequest(app_ids=[APP.app_id, OTHER_APP.app_id])
    return {one.app_id: one for one in (await platform.internal.count_backups(request, call_of())).apps}


async def test_an_archive_of_a_job_of_proxmox_is_external_and_our_own_is_not(platform: Platform) -> None:
    platform.add_app()
    await platform.make_completed()
    assert await note_external_archives(platform.dependencies) == 0
    platform.containers.add_archive(OTHER_APP.vmid, f"nas:backup/vzdump-lxc-{OTHER_APP.vmid}-1.tar.zst")
    assert await note_external_archives(platform.dependencies) == 1
    found = await count(platform)
    assert not found[APP.app_id].HasField("external_at")
    external = found[OTHER_APP.app_id]
    assert (external.total, external.completed, external.external_storage) == (0, 0, "nas")
    assert external.HasField("external_at")


async def test_an_archive_whose_notes_were_changed_is_still_ours(platform: Platform) -> None:
    await platform.make_completed()
    [(volume_id, packed)] = platform.containers.archives.items()
    assert packed.listing is not None
    listing = replace(packed.listing, notes="changed by hand")
    platform.containers.archives[volume_id] = replace(packed, listing=listing)
    assert await note_external_archives(platform.dependencies) == 0


async def test_an_archive_of_an_earlier_container_with_the_id_is_not_the_apps(platform: Platform) -> None:
    platform.containers.add_archive(APP.vmid, f"nas:backup/vzdump-lxc-{APP.vmid}-1.tar.zst")
    platform.apps.apps[APP.app_id] = replace(APP, created_at=now() + timedelta(minutes=1))
    assert await note_external_archives(platform.dependencies) == 0


async def test_what_is_gone_is_forgotten_when_every_storage_says_so(platform: Platform) -> None:
    volume_id = f"nas:backup/vzdump-lxc-{APP.vmid}-1.tar.zst"
    platform.containers.add_archive(APP.vmid, volume_id)
    await note_external_archives(platform.dependencies)
    del platform.containers.archives[volume_id]
    platform.containers.complete = False
    await note_external_archives(platform.dependencies)
    assert (await count(platform))[APP.app_id].HasField("external_at")
    platform.containers.complete = True
    await note_external_archives(platform.dependencies)
    assert APP.app_id not in await count(platform)


async def test_storages_are_sampled_once_a_day(platform: Platform) -> None:
    moment = now()
    shared = [
        BackupStorage(name="nas", node=node, shared=True, total=100, used=40) for node in ("pve1", "pve2")
    ]
    local = [BackupStorage(name="local", node=node, total=10, used=4) for node in ("pve1", "pve2")]
    unusable = [
        BackupStorage(name="away", node="pve1", total=10, available=False),
        BackupStorage(name="disks", node="pve1", total=10, takes_backups=False),
    ]
    platform.containers.storages[1] = [*shared, *local, *unusable]
    assert await sample_storages(platform.dependencies, now=moment) == 3
    platform.containers.storages[1] = [replace(one, used=41) for one in shared]
    assert await sample_storages(platform.dependencies, now=moment) == 1
    samples = await platform.dependencies.storages.list_samples(since=moment.date())
    assert [(one.storage, one.node, one.used) for one in samples] == [
        ("local", "pve1", 4),
        ("local", "pve2", 4),
        ("nas", "", 41),
    ]


async def test_those_of_a_deleted_app_are_forgotten(platform: Platform) -> None:
    platform.containers.add_archive(APP.vmid, f"nas:backup/vzdump-lxc-{APP.vmid}-1.tar.zst")
    await note_external_archives(platform.dependencies)
    del platform.apps.apps[APP.app_id]
    await note_external_archives(platform.dependencies)
    assert await platform.count(external_archives) == 0
