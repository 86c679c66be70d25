"""RPCs of ContainerService on archives, one method each."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from typing import Any

from google.protobuf import empty_pb2
from proximity.inventory.v1 import container_service_pb2 as cs

from services.common.rpc.call import Call
from services.inventory.convert import containers as convert
from services.inventory.convert.hosts import parse_changes
from services.inventory.domain.list_unarchived_volumes import list_unarchived_volumes
from services.inventory.placing import Placing
from services.inventory.proxmox import archives
from services.inventory.proxmox.backup_container import backup_container
from services.inventory.proxmox.containers import Containers
from services.inventory.proxmox.fleet import Fleet
from services.inventory.proxmox.restore_container import DiskReader, restore_container


class ArchiveHandlers:
    """The part of ContainerService that makes, restores, lists and deletes archives."""

    _containers: Containers
    _fleet: Fleet
    _placing: Placing

    async def backup_container(self, request: cs.BackupContainerRequest, _call: Call) -> cs.Task:
        task = await backup_container(
            self._containers,
            convert.parse_ref(request.container),
            request.owner,
            **pick_fields(request, "mode", "compression", "storage", "notes", "protected", "backup_id"),
        )
        return convert.render_task(task)

    async def restore_container(self, request: cs.RestoreContainerRequest, _call: Call) -> cs.Task:
        task = await restore_container(
            self._containers,
            convert.parse_ref(request.container),
            request.owner,
            **pick_fields(request, "archive", "beside", "hostname", "storage", "lose_volumes"),
            find_owned=self._placing.find_owned,
        )
        return convert.render_task(task)

    async def list_unarchived_volumes(
        self, request: cs.ListUnarchivedVolumesRequest, _call: Call
    ) -> cs.ListUnarchivedVolumesResponse:
        disks = DiskReader(self._containers, convert.parse_ref(request.container), request.owner)
        found = await list_unarchived_volumes(disks, archive=request.archive)
        return cs.ListUnarchivedVolumesResponse(volumes=[convert.render_volume(one) for one in found])

    async def list_archives(self, request: cs.ListArchivesRequest, _call: Call) -> cs.ListArchivesResponse:
        client = await self._fleet.get_client(request.host_id)
        found, complete = await archives.list_archives(client, vmid=request.vmid, storage=request.storage)
        return cs.ListArchivesResponse(
            archives=[convert.render_archive(one) for one in found], complete=complete
        )

    async def update_archive(self, request: cs.UpdateArchiveRequest, _call: Call) -> empty_pb2.Empty:
        client = await self._fleet.get_client(request.host_id)
        changes = parse_changes(request, ("notes", "protected"))
        await archives.update_archive(
            client, request.volume_id, notes=changes.get("notes"), protected=changes.get("protected")
        )
        return empty_pb2.Empty()

    async def delete_archive(self, request: cs.DeleteArchiveRequest, _call: Call) -> cs.Task:
        client = await self._fleet.get_client(request.host_id)
        return convert.render_task(await archives.delete_archive(client, request.volume_id))


def pick_fields(request: Any, *names: str) -> dict[str, Any]:
    """Fields that go to a function as they are."""
    return {name: getattr(request, name) for name in names}
