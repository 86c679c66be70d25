"""Privileges that a host's credentials need and have."""

from __future__ import annotations

from services.inventory.domain.proxmox_api import ProxmoxApi

CONSOLE = "VM.Console"
PULL = "Sys.AccessNetwork"
NEEDED: dict[str, tuple[str, ...]] = {
    "/vms": (
        "VM.Allocate", "VM.Audit", "VM.Backup", "VM.Clone", "VM.Config.CPU", "VM.Config.Disk", "VM.Config.Memory",
        "VM.Config.Network", "VM.Config.Options", CONSOLE, "VM.PowerMgmt", "VM.Snapshot",
    ),
    "/storage": ("Datastore.AllocateSpace", "Datastore.AllocateTemplate", "Datastore.Audit"),
    "/nodes": ("Sys.Audit",),
    "/sdn/zones/localnetwork": ("SDN.Use",),
}  # fmt: skip


async def list_granted(client: ProxmoxApi, path: str) -> set[str]:
    """Return the privileges of the credentials on a path."""
    granted: dict[str, dict[str, int]] = await client.get("/access/permissions", path=path)
    return set(granted.get(path, {}))


async def list_missing(client: ProxmoxApi) -> list[str]:
    """Return the privileges that a deployment needs and the credentials lack, as `path: privilege`.

    The console is needed only where SSH does not reach the containers.
    """
    # root@pam has every privilege.
    if client.access.is_full_root:
        return []
    missing: list[str] = []
    for path, needed in NEEDED.items():
        granted = await list_granted(client, path)
        missing += [
            f"{path}: {name}"
            for name in needed
            if name not in granted and not (name == CONSOLE and client.access.has_ssh)
        ]
    return missing
