"""What must hold when everything has ended, whatever died meanwhile."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa

from services.apps.store import tables as app_tables
from services.backups.store.tables import backups
from services.inventory.proxmox.marks import find_owner
from services.inventory.store.tables import vmids
from tests.failpoints.platform import Platform
from tests.pvesim.instant import InstantProxmox


def describe_strangers(proxmox: InstantProxmox) -> dict[int, Any]:
    """ContainerLookup without our marks, as they are: their configuration and state."""
    found = proxmox.cluster.containers.values()
    return {
        one.vmid: (one.node, dict(one.config), one.running, sorted(one.snapshots))
        for one in found
        if find_owner(one.config) is None
    }


async def check_invariants(platform: Platform, strangers: dict[int, Any]) -> None:
    """Raise AssertionError where something was lost, leaked or touched."""
    await check_operations(platform)
    await _check_containers(platform)
    await _check_archives(platform)
    after = describe_strangers(platform.proxmox)
    ours = {row.vmid for row in await _rows(platform, "apps", app_tables.apps)}
    assert after == {vmid: one for vmid, one in strangers.items() if vmid not in ours}, (
        "a stranger was touched"
    )
    cluster = platform.proxmox.cluster
    assert not [one.vmid for one in cluster.containers.values() if one.config.get("lock")], "locks are left"
    assert not [(one.vmid, list(one.snapshots)) for one in cluster.containers.values() if one.snapshots]


async def _rows(platform: Platform, service: str, table: sa.Table) -> list[Any]:
    query = sa.select(table)
    return list(await platform.databases[service].read(lambda connection: connection.execute(query).all()))


async def check_operations(platform: Platform) -> None:
    """Raise AssertionError where an operation did not end."""
    for service, desk in platform.desks.items():
        left = [
            row for row in await _rows(platform, service, desk.tables.operations) if row.finished_at is None
        ]
        assert not left, f"operations that did not end: {left}"


async def _check_containers(platform: Platform) -> None:
    rows = await _rows(platform, "apps", app_tables.apps)
    wanted = {row.vmid: row.id for row in rows if row.vmid is not None}
    found = {
        one.vmid: owner
        for one in platform.proxmox.cluster.containers.values()
        if (owner := find_owner(one.config)) is not None
    }
    assert found == wanted, "containers with our marks are those of the apps"
    reserved = {row.vmid: row.owner for row in await _rows(platform, "inventory", vmids)}
    assert reserved == wanted, "reservations are those of the apps"
    taken = {(row.public_port, row.app_id) for row in await _rows(platform, "apps", app_tables.ports)}
    assert taken == {(row.public_port, row.id) for row in rows if row.public_port is not None}
    assert max(Counter(row.hostname for row in rows).values(), default=1) == 1
    running = {one.vmid for one in platform.proxmox.cluster.containers.values() if one.running}
    for row in rows:
        assert row.status in {"running", "stopped", "error"}, f"{row.id} is {row.status}"
        if row.status != "error":
            assert (row.vmid in running) == (row.status == "running"), f"{row.id} is not {row.status}"
        else:
            assert row.error, f"{row.id} does not say why"


async def _check_archives(platform: Platform) -> None:
    rows = await _rows(platform, "backups", backups)
    assert not [row.status for row in rows if row.status not in {"completed", "failed"}]
    assert not [row.id for row in rows if row.test_status == "running"], "restore tests that did not end"
    wanted = Counter(row.volume_id for row in rows if row.volume_id)
    volumes = platform.proxmox.cluster.volumes.values()
    found = Counter(f"{one.storage}:{one.name}" for one in volumes if one.content == "backup")
    assert found == wanted, f"archives are those of the backups: {found} instead of {wanted}"
