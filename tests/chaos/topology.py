"""The cluster that the storm goes over: three nodes, and containers of others."""

from __future__ import annotations

from typing import Any

from tests.pvesim.presets import ALPINE, DEBIAN

GIB = 1 << 30
NODES = ("pve1", "pve2", "pve3")
ADOPTABLE = (111, 112, 113, 114, 115)
UNTOUCHED = (101, 102, 103)


def _make_stranger(vmid: int, *, running: bool = True) -> dict[str, Any]:
    return {
        "vmid": vmid,
        "node": NODES[vmid % len(NODES)],
        "hostname": f"theirs-{vmid}",
        "template": DEBIAN if vmid % 2 else ALPINE,
        "services": ["nginx"],
        "running": running,
        "storage": "local-lvm",
        "config": {"description": f"somebody's {vmid}\n", "tags": "theirs"},
    }


TOPOLOGY: dict[str, Any] = {
    "name": "storm",
    "first_vmid": 9000,
    "nodes": [
        {"name": name, "cpus": 8, "memory": 256 * GIB, "disk": 400 * GIB, "bridges": ["vmbr0", "vmbr1"]}
        for name in NODES
    ],
    "containers": [
        *(_make_stranger(vmid, running=vmid != 103) for vmid in UNTOUCHED),
        *(_make_stranger(vmid, running=vmid % 4 != 0) for vmid in ADOPTABLE),
    ],
}
