"""The cluster that the storm goes over: three nodes, and containers and archives of others."""

from __future__ import annotations

from typing import Any

from tests.pvesim.presets import ALPINE, DEBIAN

GIB = 1 << 30
NODES = ("pve1", "pve2", "pve3")
ADOPTABLE = (111, 112, 113, 114, 115)
UNTOUCHED = (101, 102, 103)
FIRST_VMID = 9000
VAULT = "vault"
"""A Proxmox Backup Server, the second storage of a policy."""


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
    "first_vmid": FIRST_VMID,
    "nodes": [
        {"name": name, "cpus": 8, "memory": 256 * GIB, "disk": 400 * GIB, "bridges": ["vmbr0", "vmbr1"]}
        for name in NODES
    ],
    "storages": [
        {
            "name": "local",
            "content": ["vztmpl", "iso", "backup", "rootdir"],
            "path": "/var/lib/vz",
            "total": 94 * GIB,
        },
        {"name": "local-lvm", "type": "lvmthin", "content": ["rootdir", "images"], "total": 500 * GIB},
        {
            "name": "backup",
            "content": ["backup"],
            "path": "/mnt/backup",
            "shared": True,
            "total": 1000 * GIB,
        },
        {"name": VAULT, "type": "pbs", "content": ["backup"], "shared": True, "total": 1000 * GIB},
    ],
    "containers": [
        *(_make_stranger(vmid, running=vmid != 103) for vmid in UNTOUCHED),
        *(_make_stranger(vmid, running=vmid % 4 != 0) for vmid in ADOPTABLE),
    ],
}


def list_foreign_archives() -> list[dict[str, Any]]:
    """List archives as an administrator's own jobs made them of containers whose ids the platform gives again."""
    return [
        {
            "storage": "backup",
            "name": f"backup/vzdump-lxc-{vmid}-2026_01_0{day}-03_00_00.tar.zst",
            "content": "backup",
            "format": "tar.zst",
            "size": 1 << 20,
            "ctime": 1767236400 + day * 86400,
            "vmid": vmid,
            "notes": f"nightly of somebody's {vmid}",
        }
        for vmid in range(FIRST_VMID, FIRST_VMID + 6)
        for day in (1, 2)
    ]
