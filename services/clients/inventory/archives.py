"""Archives and tasks over gRPC: `Archives` and `Tasks` of `interface`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from typing import Any

from proximity.inventory.v1 import archive_check_pb2, restore_plan_pb2
from proximity.inventory.v1 import container_service_pb2 as pb
from proximity.inventory.v1.container_service_pb2_grpc import ContainerServiceStub

from services.clients.inventory.archive_convert import (
    parse_archives,
    parse_restore_plan,
    parse_storages,
    render_archive,
    render_network,
)
from services.clients.inventory.archive_values import (
    ArchiveCheckOutcome,
    ArchiveListing,
    BackupStorage,
    ContainerVolume,
    NewArchive,
    NewNetwork,
    RunningBackup,
    VolumeComparison,
)
from services.clients.inventory.convert import (
    parse_progress,
    parse_task,
    parse_tasks,
    render_ref,
    render_watch,
)
from services.clients.inventory.restore_plans import RestoreOrder, RestorePlacement
from services.clients.inventory.values import ContainerTask, Ref, Task, TaskProgress
from services.common.core.errors import NotFoundError, UnavailableError
from services.common.rpc.client import Clients

# Proxmox answers a request for a task within seconds; a full cluster lock takes up to a minute.
_WRITE_S = 60.0
_NOTES_S = 20.0  # a person waits for it
_CHECK_GRACE_S = 180.0  # beyond the time for reading: the search for the archive and its path
_PLAN_S = 20.0  # a person waits for it
_VOLUMES_S = 20.0  # a person waits for it
_TASK_S = 24 * 3600.0  # the longest task: the largest archives take hours on slow storage


class GrpcArchives:
    """Archives and tasks by way of inventory."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def _call(self, method: str, request: Any, *, timeout: float = _WRITE_S, retry: bool = True) -> Any:
        return await self._clients.call(
            "inventory", ContainerServiceStub, method=method, request=request, timeout=timeout, retry=retry
        )

    async def _begin(self, method: str, request: Any, *, retry: bool = True) -> Task:
        return parse_task(await self._call(method, request, retry=retry))

    async def choose_backup_storage(self, ref: Ref, *, owner: str) -> str:
        """See `Archives.choose_backup_storage`."""
        request = pb.GetOwnedContainerRequest(container=render_ref(ref), owner=owner)
        return str((await self._call("ChooseBackupStorage", request)).storage)

    async def backup_container(self, ref: Ref, *, owner: str, new: NewArchive) -> Task:
        """See `Archives.backup_container`."""
        return await self._begin("BackupContainer", render_archive(ref, owner, new=new))

    async def restore_container(
        self,
        ref: Ref,
        *,
        owner: str,
        archive: str,
        storage: str = "",
        lose_volumes: Sequence[str] = (),
        beside: bool = False,
        hostname: str = "",
        network: NewNetwork | None = None,
    ) -> Task:
        """See `Archives.restore_container`."""
        request = pb.RestoreContainerRequest(
            container=render_ref(ref),
            owner=owner,
            archive=archive,
            storage=storage,
            lose_volumes=lose_volumes,
            beside=beside,
            hostname=hostname,
            network=None if network is None else render_network(network),
        )
        return await self._begin("RestoreContainer", request)

    async def check_archive(self, host_id: int, archive: str, *, limit_s: int) -> ArchiveCheckOutcome:
        """See `Archives.check_archive`."""
        request = archive_check_pb2.CheckArchiveRequest(host_id=host_id, archive=archive, limit_s=limit_s)
        stream = self._clients.stream(
            "inventory",
            ContainerServiceStub,
            method="CheckArchive",
            request=request,
            timeout=limit_s + _CHECK_GRACE_S,
        )
        async for progress in stream:
            if progress.done:
                return ArchiveCheckOutcome(status=progress.status, reason=progress.reason, node=progress.node)
        raise UnavailableError("the check of the archive ended without an outcome", retry_after=5)

    async def plan_restore(self, order: RestoreOrder) -> RestorePlacement:
        """See `Archives.plan_restore`."""
        request = restore_plan_pb2.PlanRestoreRequest(**asdict(order))
        plan = await self._call("PlanRestore", request, timeout=_PLAN_S)
        # One of the former release compares the networks of the archive, and does not say what is in it.
        if order.foreign and not plan.obstacles and not plan.HasField("archived"):
            raise UnavailableError(
                "the inventory service is of an earlier release, which plans no imports of archives; import again when it "
                "is upgraded",
                retry_after=30,
            )
        return parse_restore_plan(plan)

    async def list_unarchived_volumes(
        self, ref: Ref, *, owner: str, archive: str = ""
    ) -> list[ContainerVolume]:
        """See `Archives.list_unarchived_volumes`."""
        return list((await self.compare_volumes(ref, owner=owner, archive=archive)).destroyed)

    async def compare_volumes(self, ref: Ref, *, owner: str, archive: str) -> VolumeComparison:
        """See `Archives.compare_volumes`."""
        request = pb.ListUnarchivedVolumesRequest(container=render_ref(ref), owner=owner, archive=archive)
        listed = await self._call("ListUnarchivedVolumes", request, timeout=_VOLUMES_S)
        return VolumeComparison(
            overwritten=tuple(ContainerVolume(one.key, one.description) for one in listed.overwritten),
            destroyed=tuple(ContainerVolume(one.key, one.description) for one in listed.volumes),
        )

    async def list_archives(self, ref: Ref, *, storage: str = "") -> ArchiveListing:
        """See `Archives.list_archives`."""
        request = pb.ListArchivesRequest(host_id=ref.host_id, vmid=ref.vmid, storage=storage)
        return parse_archives(await self._call("ListArchives", request))

    async def list_backup_storages(self, host_id: int) -> list[BackupStorage]:
        """See `Archives.list_backup_storages`."""
        request = pb.ListBackupStoragesRequest(host_id=host_id)
        return parse_storages(await self._call("ListBackupStorages", request, timeout=_VOLUMES_S))

    async def list_running_backups(self, host_id: int, node: str) -> list[RunningBackup]:
        """See `Archives.list_running_backups`."""
        request = pb.ListRunningBackupsRequest(host_id=host_id, node=node)
        answer = await self._call("ListRunningBackups", request, timeout=_VOLUMES_S)
        return [RunningBackup(one.node, one.upid, one.vmid, one.user) for one in answer.backups]

    async def update_archive(
        self, host_id: int, volume_id: str, *, protected: bool | None = None, notes: str | None = None
    ) -> None:
        """See `Archives.update_archive`."""
        request = pb.UpdateArchiveRequest(
            host_id=host_id, volume_id=volume_id, protected=protected, notes=notes
        )
        await self._call("UpdateArchive", request, timeout=_NOTES_S)

    async def delete_archive(self, host_id: int, volume_id: str) -> Task:
        """See `Archives.delete_archive`."""
        request = pb.DeleteArchiveRequest(host_id=host_id, volume_id=volume_id)
        try:
            return await self._begin("DeleteArchive", request)
        # Deleted already, by an earlier attempt or by somebody in Proxmox: what was wanted is the case.
        except NotFoundError:
            return Task(host_id, "", "")

    async def watch_task(self, task: Task) -> AsyncIterator[TaskProgress]:
        """See `Tasks.watch_task`."""
        stream = self._clients.stream(
            "inventory", ContainerServiceStub, method="WatchTask", request=render_watch(task), timeout=_TASK_S
        )
        async for progress in stream:
            yield parse_progress(progress)

    async def list_container_tasks(self, ref: Ref) -> list[ContainerTask]:
        """See `Tasks.list_container_tasks`."""
        request = pb.ListContainerTasksRequest(container=render_ref(ref))
        return parse_tasks(await self._call("ListContainerTasks", request), ref)

    async def stop_task(self, task: Task) -> None:
        """See `Tasks.stop_task`."""
        await self._call("StopTask", render_watch(task))
