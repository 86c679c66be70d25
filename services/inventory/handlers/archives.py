"""RPCs of ContainerService on archives, one method each."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from google.protobuf import empty_pb2
from proximity.inventory.v1 import archive_check_pb2, restore_plan_pb2
from proximity.inventory.v1 import archive_plan_pb2 as plan_pb
from proximity.inventory.v1 import container_service_pb2 as cs

from services.common.rpc.call import Call
from services.inventory.convert import archive_checks as convert_checks
from services.inventory.convert import containers as convert
from services.inventory.convert import restore_plans as convert_plans
from services.inventory.convert.restored_networks import parse_restored_network
from services.inventory.domain.interfaces import (
    CandidateReader,
    ContainerAccess,
    ContainerScanner,
    HostStore,
    ProxmoxFleet,
)
from services.inventory.proxmox.containers import ContainerLookup
from services.inventory.proxmox.networks import Networks
from services.inventory.usecases import archives, tasks
from services.inventory.usecases.backup_container import backup_container
from services.inventory.usecases.check_archive import check_archive, repeat_until_done
from services.inventory.usecases.choose_backup_storage import choose_backup_storage
from services.inventory.usecases.list_unarchived_volumes import list_unarchived_volumes
from services.inventory.usecases.plan_restore import plan_archive_restore, plan_restore
from services.inventory.usecases.restore_container import restore_container

# Proxies and the caller take a stream without messages for broken: the longest silence that they allow is a minute.
_SIGN_OF_LIFE_S = 10.0


class ArchiveHandlers:
    """The part of ContainerService that makes, restores, lists and deletes archives."""

    _access: ContainerAccess
    _candidates: CandidateReader
    _containers: ContainerLookup
    _fleet: ProxmoxFleet
    _hosts: HostStore
    _scanner: ContainerScanner
    _networks: Networks

    async def choose_backup_storage(
        self, request: cs.GetOwnedContainerRequest, _call: Call
    ) -> cs.ChooseBackupStorageResponse:
        storage = await choose_backup_storage(
            self._containers, convert.parse_ref(request.container), owner=request.owner
        )
        return cs.ChooseBackupStorageResponse(storage=storage)

    async def backup_container(self, request: cs.BackupContainerRequest, _call: Call) -> cs.Task:
        task = await backup_container(
            self._containers,
            convert.parse_ref(request.container),
            **_pick(request, "owner", "mode", "compression", "storage", "notes", "protected", "backup_id"),
        )
        return convert.render_task(task)

    async def restore_container(self, request: cs.RestoreContainerRequest, _call: Call) -> cs.Task:
        task = await restore_container(
            self._containers,
            convert.parse_ref(request.container),
            **_pick(request, "owner", "archive", "beside", "hostname", "storage", "lose_volumes"),
            hosts=self._hosts,
            scanner=self._scanner,
            networks=self._networks,
            network=parse_restored_network(request),
        )
        return convert.render_task(task)

    async def plan_archive_restore(
        self, request: plan_pb.PlanArchiveRestoreRequest, _call: Call
    ) -> plan_pb.ArchiveRestorePlan:
        plan = await plan_archive_restore(
            self._hosts,
            self._fleet,
            candidates=self._candidates,
            request=convert_plans.parse_archive_plan_request(request),
        )
        return convert_plans.render_archive_plan(plan)

    async def check_archive(
        self, request: archive_check_pb2.CheckArchiveRequest, _call: Call
    ) -> AsyncIterator[archive_check_pb2.ArchiveCheckProgress]:
        check = check_archive(
            self._fleet,
            self._access,
            host_id=request.host_id,
            archive=request.archive,
            limit_s=request.limit_s,
        )
        async for verdict in repeat_until_done(check, every_s=_SIGN_OF_LIFE_S):
            yield convert_checks.render_check(verdict)

    async def plan_restore(
        self, request: restore_plan_pb2.PlanRestoreRequest, _call: Call
    ) -> restore_plan_pb2.RestorePlan:
        plan = await plan_restore(
            self._hosts,
            self._fleet,
            candidates=self._candidates,
            request=convert_plans.parse_plan_request(request),
        )
        return convert_plans.render_plan(plan)

    async def list_unarchived_volumes(
        self, request: cs.ListUnarchivedVolumesRequest, _call: Call
    ) -> cs.ListUnarchivedVolumesResponse:
        ref = convert.parse_ref(request.container)
        found, overwritten = await list_unarchived_volumes(
            self._containers, ref, owner=request.owner, archive=request.archive
        )
        return cs.ListUnarchivedVolumesResponse(
            volumes=[convert.render_volume(one) for one in found],
            overwritten=[convert.render_volume(one) for one in overwritten],
        )

    async def list_archives(self, request: cs.ListArchivesRequest, _call: Call) -> cs.ListArchivesResponse:
        found, complete = await archives.list_archives(
            self._fleet, request.host_id, vmid=request.vmid, storage=request.storage
        )
        return cs.ListArchivesResponse(
            archives=[convert.render_archive(one) for one in found], complete=complete
        )

    async def list_backup_storages(
        self, request: cs.ListBackupStoragesRequest, _call: Call
    ) -> cs.ListBackupStoragesResponse:
        found = await archives.list_backup_storages(self._fleet, request.host_id)
        return cs.ListBackupStoragesResponse(storages=[convert.render_backup_storage(one) for one in found])

    async def list_running_backups(
        self, request: cs.ListRunningBackupsRequest, _call: Call
    ) -> cs.ListRunningBackupsResponse:
        found = await tasks.list_running_backups(self._fleet, request.host_id, node=request.node)
        return cs.ListRunningBackupsResponse(backups=[convert.render_running_backup(one) for one in found])

    async def update_archive(self, request: cs.UpdateArchiveRequest, _call: Call) -> empty_pb2.Empty:
        changes = convert.parse_archive_changes(request)
        await archives.update_archive(
            self._fleet, request.host_id, volume_id=request.volume_id, changes=changes
        )
        return empty_pb2.Empty()

    async def delete_archive(self, request: cs.DeleteArchiveRequest, _call: Call) -> cs.Task:
        task = await archives.delete_archive(self._fleet, request.host_id, volume_id=request.volume_id)
        return convert.render_task(task)


def _pick(request: Any, *names: str) -> dict[str, Any]:
    """Return fields that a use case takes under their own names."""
    return {name: getattr(request, name) for name in names}
