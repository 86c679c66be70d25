"""Archives that the platform did not make, as jobs of Proxmox do, and how full the storages for backups are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from services.backups.domain.statistics import StorageSample
from services.backups.domain.storage_store import ExternalArchive
from services.backups.usecases.context import BackupDependencies
from services.clients.apps.values import AppHold
from services.clients.inventory.archive_values import Archive
from services.clients.inventory.values import Ref
from services.common.core.errors import DomainError
from services.common.core.log import get_logger

log = get_logger()

_SAMPLES_LIFETIME = timedelta(days=400)  # a year, to compare with the same month


async def note_external_archives(dependencies: BackupDependencies) -> int:
    """Record the newest external archive of each app, from one listing of each host, and return how many apps have one.

    A host or storage that does not answer proves nothing about its archives.
    """
    by_host: dict[int, list[AppHold]] = defaultdict(list)
    everything = await dependencies.apps.list_app_holds()
    for app in everything:
        by_host[app.host_id].append(app)
    await dependencies.storages.delete_external(existing={app.app_id for app in everything})
    count = 0
    for host_id, apps in by_host.items():
        try:
            listing = await dependencies.containers.list_archives(Ref(host_id, 0))
        except DomainError as error:
            log.info("external_archives_unknown", host_id=host_id, reason=error.message)
            continue
        own = await dependencies.storages.list_volume_ids(host_id)
        found = find_external(apps, listing.archives, own=own)
        with_one = {one.app_id for one in found}
        gone = {app.app_id for app in apps} - with_one if listing.complete else set()
        await dependencies.storages.note_external(found, gone=gone)
        count += len(found)
    return count


def find_external(
    apps: Sequence[AppHold], archives: Sequence[Archive], *, own: Collection[str]
) -> list[ExternalArchive]:
    """Find the newest archive of each app that the platform did not make.

    An archive from before the app was created is one of an earlier container with the same id.
    """
    newest: dict[int, Archive] = {}
    for archive in archives:
        if archive.created_at is None or not archive.is_external or archive.volume_id in own:
            continue
        known = newest.get(archive.vmid)
        if known is None or known.created_at is None or known.created_at < archive.created_at:
            newest[archive.vmid] = archive
    return [
        ExternalArchive(
            app_id=app.app_id,
            volume_id=archive.volume_id,
            storage=archive.storage,
            size=archive.size,
            created_at=archive.created_at,
        )
        for app in apps
        for archive in [newest.get(app.vmid)]
        if archive is not None and archive.created_at is not None
        if app.created_at is None or archive.created_at >= app.created_at
    ]


async def sample_storages(dependencies: BackupDependencies, *, now: datetime) -> int:
    """Record how full the storages for backups are today, and return how many answered."""
    samples: dict[tuple[int, str, str], StorageSample] = {}
    for host_id in sorted({app.host_id for app in await dependencies.apps.list_app_holds()}):
        try:
            listed = await dependencies.containers.list_backup_storages(host_id)
        except DomainError:
            continue  # a day without a sample changes a forecast little
        for one in listed:
            if one.takes_backups and one.available and one.total:
                node = "" if one.shared else one.node
                samples[host_id, one.name, node] = StorageSample(
                    host_id=host_id,
                    storage=one.name,
                    node=node,
                    day=now.date(),
                    used=int(one.used),
                    total=int(one.total),
                )
    await dependencies.storages.note_samples(list(samples.values()))
    await dependencies.storages.delete_samples(before=(now - _SAMPLES_LIFETIME).date())
    return len(samples)
