"""Backups and volumes of containers on the simulated server."""

from __future__ import annotations

from typing import Any

from proximity.inventory.v1 import container_service_pb2 as cs

from tests.contract.inventory.conftest import Inventory, new_call

PHOTOS = "tank:50,mp=/srv/photos"
MAIL = "local-lvm:2,mp=/srv/mail,backup=1"
BIND = {"mp3": "/mnt/host,mp=/srv/shared"}


def add_tank(inventory: Inventory) -> None:
    """Add a storage for volumes that is not chosen by itself."""
    tank = {"name": "tank", "type": "zfspool", "content": ["rootdir"], "total": 1 << 30, "shared": False}
    inventory.sim.client.control("POST", "/storages", tank)


def make_backup(ref: cs.ContainerRef, owner: str, *, backup_id: str = "7a") -> cs.BackupContainerRequest:
    return cs.BackupContainerRequest(
        container=ref, owner=owner, mode="snapshot", storage="backup", notes="a\nb", backup_id=backup_id
    )


async def back_up(inventory: Inventory, ref: cs.ContainerRef, owner: str) -> str:
    task = await inventory.containers.backup_container(make_backup(ref, owner), new_call())
    end = await inventory.finish(task)
    assert end.succeeded, end.reason
    return end.result


def list_volumes(inventory: Inventory, vmid: int) -> set[tuple[str, str]]:
    state = inventory.sim.client.control("GET", "/state")
    return {(one["storage"], one["name"]) for one in state["volumes"] if one["vmid"] == vmid and one["content"] == "rootdir"}  # fmt: skip


async def read_config(inventory: Inventory, ref: cs.ContainerRef) -> dict[str, Any]:
    client = await inventory.fleet.get_client(ref.host_id)
    config: dict[str, Any] = await client.get(f"/nodes/{ref.node}/lxc/{ref.vmid}/config")
    return config


async def set_config(inventory: Inventory, ref: cs.ContainerRef, **options: str) -> None:
    client = await inventory.fleet.get_client(ref.host_id)
    await client.put(f"/nodes/{ref.node}/lxc/{ref.vmid}/config", **options)
