"""PlanRestoreTest."""

from __future__ import annotations

import math
from typing import Any

from services.inventory.domain.errors import (
    NodeOfflineError,
    NoRoomError,
    StorageNotFoundError,
)
from services.inventory.domain.interfaces import ProxmoxFleet
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.domain.restore_tests import (
    RestoreTestPlace,
    check_testable,
    list_omitted,
    list_tested_disks,
)
from services.inventory.proxmox.archives import ArchiveVolume, find_archive, read_configuration
from services.inventory.proxmox.storages import list_storages

_GIB = 1 << 30  # bytes: sizes are shown in binary units, as Proxmox shows them
_SPARE = 0.05  # of the free space, which stays free for what else is on the storage
_EXPANSION = 4  # of an archive whose volumes have no limit: zstd halves or thirds most data


async def plan_restore_test(
    fleet: ProxmoxFleet, host_id: int, *, archive: str, node: str = "", storage: str = "", bridge: str = ""
) -> RestoreTestPlace:
    """Choose a node that sees the archive, preferably `node`, and a storage with room for its volumes.

    All volumes are restored to one storage at their nominal size. A `bridge` that the node does not have, or that is
    not isolated, is not used.

    Raises:
        ArchiveNotFoundError: no storage has the archive.
        RestoreTestUnsupportedError: its container could not be isolated.
        NoRoomError: too little space or memory is free.
        StorageNotFoundError: the node does not have `storage`, or none for containers.
        NodeOfflineError: the node with the archive is down.
        HostUnreachableError: the host does not answer.
    """
    client = await fleet.get_client(host_id)
    found = await find_archive(client, archive, node=node)
    saved = await read_configuration(client, archive)
    check_testable(saved, is_full_root=client.access.is_full_root)
    await _check_memory(client, found.node, wanted_mb=int(saved.get("memory") or 512))
    required = _measure(saved, found)
    name, free = await _choose_storage(client, found.node, required=required, wanted=storage)
    notes = [f"not restored: {what}" for what in list_omitted(saved)]
    if bridge and (problem := await find_bridge_problem(client, found.node, bridge=bridge)):
        notes.append(f"without network: {problem}")
        bridge = ""
    return RestoreTestPlace(
        node=found.node, storage=name, required=required, free=free, bridge=bridge, notes=tuple(notes)
    )


async def _check_memory(client: ProxmoxApi, node: str, *, wanted_mb: int) -> None:
    resources = await client.get("/cluster/resources", type="node")
    one: dict[str, Any] = next((each for each in resources if each.get("node") == node), {})
    if one.get("status") != "online":
        raise NodeOfflineError(f"node {node}, which sees the archive, is down")
    free_mb = (float(one.get("maxmem") or 0) - float(one.get("mem") or 0)) / (1 << 20)
    if one.get("maxmem") and free_mb < wanted_mb:
        raise NoRoomError(
            f"a restore test needs {wanted_mb} MB of memory, and node {node} has {free_mb:.0f} MB free; it is tried again later"
        )


def _measure(saved: dict[str, str], archive: ArchiveVolume) -> float:
    sizes = [one.size_gb * _GIB or archive.size * _EXPANSION for one in list_tested_disks(saved)]
    return float(math.ceil(sum(sizes)))


async def _choose_storage(
    client: ProxmoxApi, node: str, *, required: float, wanted: str
) -> tuple[str, float]:
    found: list[dict[str, Any]] = await list_storages(client, node, content="rootdir")
    chosen = [one for one in found if wanted in ("", str(one["storage"]))]
    if not chosen:
        what = f"the storage {wanted!r} of RESTORE_TEST_STORAGE" if wanted else "a storage"
        raise StorageNotFoundError(f"node {node} does not have {what} for containers")
    name, free = str(chosen[0]["storage"]), float(chosen[0].get("avail") or 0)
    if free * (1 - _SPARE) < required:
        raise NoRoomError(
            f"a restore test needs {required / _GIB:.1f} GB, and storage {name} of node {node} has {free / _GIB:.1f} GB free; "
            "free some of it, or name another storage in RESTORE_TEST_STORAGE"
        )
    return name, free


async def find_bridge_problem(client: ProxmoxApi, node: str, *, bridge: str) -> str:
    """Return why a bridge is not used: it must have neither ports nor a gateway; empty when it is isolated."""
    rows = await client.get(f"/nodes/{node}/network", type="any_bridge")
    one = next((each for each in rows if each.get("iface") == bridge), None)
    if one is None:
        return f"node {node} has no bridge {bridge}"
    if "bridge_ports" not in one:
        return f"Proxmox does not say which ports bridge {bridge} of node {node} has"
    if str(one["bridge_ports"] or "").strip() or one.get("gateway"):
        return f"bridge {bridge} of node {node} is not isolated, because it has ports or a gateway"
    return ""
