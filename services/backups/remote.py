"""Apps and containers as other services have them: `Apps` and `Containers` over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from google.protobuf.message import Message
from proximity.apps.v1 import apps_service_pb2 as apps_pb
from proximity.apps.v1.apps_service_pb2_grpc import AppsInternalServiceStub
from proximity.inventory.v1 import container_service_pb2 as containers_pb
from proximity.inventory.v1.container_service_pb2_grpc import ContainerServiceStub

from services.backups import convert
from services.backups.domain.entities import (
    AppFacts,
    AppProbe,
    Archive,
    BackupOrder,
    BesideOrder,
    BesideStarted,
    Place,
    ProgressReport,
    Task,
    TaskUpdate,
    UnarchivedVolume,
)
from services.common.core.errors import NotFoundError
from services.common.identity.tokens import User
from services.common.rpc.client import Clients

_ATTEMPT_S = 4.0  # three attempts end before a worker takes up what was only written down (15 s)
_PROBE_S = 30.0  # apps asks inventory, which asks a port from here and from inside
_LOOK_S = 20.0  # a person waits for it
_PROXMOX_S = 60.0
_TASK_S = 24 * 3600.0


class RemoteApps:
    """See `Apps`."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def get_app(self, app_id: str, *, user_id: int | None) -> AppFacts:
        """See `Apps.get_app`."""
        hold = await self._call("GetAppHold", apps_pb.GetAppHoldRequest(app_id=app_id, user_id=user_id))
        return convert.parse_app(hold)

    async def begin_operation(
        self, app_id: str, operation_id: str, *, kind: str, made_by: str = "", user: object = None
    ) -> AppFacts:
        """See `Apps.begin_operation`."""
        request = apps_pb.BeginOperationRequest(
            app_id=app_id, operation_id=operation_id, kind=kind, made_by=made_by
        )
        return convert.parse_app(await self._call("BeginOperation", request, user=user))

    async def report_operation(self, app_id: str, operation_id: str, *, report: ProgressReport) -> None:
        """See `Apps.report_operation`."""
        await self._call("ReportOperation", convert.render_report(app_id, operation_id, report=report))

    async def finish_operation(
        self, app_id: str, operation_id: str, *, succeeded: bool, message: str, status: str = ""
    ) -> None:
        """See `Apps.finish_operation`."""
        request = apps_pb.FinishOperationRequest(
            app_id=app_id, operation_id=operation_id, succeeded=succeeded, message=message, status=status
        )
        await self._call("FinishOperation", request)

    async def probe_app(self, app_id: str, operation_id: str) -> AppProbe:
        """See `Apps.probe_app`."""
        request = apps_pb.ProbeAppRequest(app_id=app_id, operation_id=operation_id)
        probe = await self._call("ProbeApp", request, timeout=_PROBE_S)
        return AppProbe(probe.answered, probe.port, probe.grace_s, probe.message)

    async def restore_beside(self, order: BesideOrder, *, user: object) -> BesideStarted:
        """See `Apps.restore_beside`."""
        request = apps_pb.RestoreBesideRequest(
            operation_id=order.operation_id,
            source_app_id=order.source_app_id,
            archive=order.archive,
            new_hostname=order.new_hostname,
            made_by=order.made_by,
            host_id=order.host_id,
            vmid=order.vmid,
            owner_id=order.owner_id,
        )
        started = await self._call("RestoreBeside", request, user=user, timeout=10)
        return BesideStarted(started.app_id, started.message)

    async def find_standing(self, operation_id: str) -> str:
        """See `Apps.find_standing`."""
        request = apps_pb.GetOperationStandingRequest(operation_id=operation_id)
        return str((await self._call("GetOperationStanding", request)).status)

    async def find_removed(self, app_ids: Sequence[str]) -> Sequence[str]:
        """See `Apps.find_removed`."""
        return list(
            (await self._call("FindRemovedApps", apps_pb.FindRemovedAppsRequest(app_ids=app_ids))).app_ids
        )

    async def _call(
        self, method: str, request: Message, *, user: object = None, timeout: float = _ATTEMPT_S
    ) -> Any:
        return await self._clients.call(
            "apps",
            AppsInternalServiceStub,
            method,
            request,
            user=user if isinstance(user, User) else None,
            timeout=timeout,
        )


class RemoteContainers:
    """See `Containers`."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def backup_container(self, place: Place, *, owner: str, order: BackupOrder, mark: str) -> Task:
        """See `Containers.backup_container`."""
        request = containers_pb.BackupContainerRequest(
            container=convert.render_place(place),
            owner=owner,
            mode=order.backup_type,
            compression=order.compression,
            storage=order.storage,
            notes=order.notes,
            backup_id=mark,
        )
        return convert.parse_task(await self._call("BackupContainer", request))

    async def restore_container(
        self, place: Place, *, owner: str, archive: str, storage: str = "", lose_volumes: Sequence[str] = ()
    ) -> Task:
        """See `Containers.restore_container`."""
        request = containers_pb.RestoreContainerRequest(
            container=convert.render_place(place),
            owner=owner,
            archive=archive,
            storage=storage,
            lose_volumes=lose_volumes,
        )
        return convert.parse_task(await self._call("RestoreContainer", request))

    async def list_unarchived(
        self, place: Place, *, owner: str, archive: str = ""
    ) -> Sequence[UnarchivedVolume]:
        """See `Containers.list_unarchived`."""
        request = containers_pb.ListUnarchivedVolumesRequest(
            container=convert.render_place(place), owner=owner, archive=archive
        )
        listed = await self._call("ListUnarchivedVolumes", request, timeout=_LOOK_S)
        return [UnarchivedVolume(volume.key, volume.description) for volume in listed.volumes]

    async def start_container(self, place: Place, *, owner: str) -> Task:
        """See `Containers.start_container`."""
        return await self._act("StartContainer", place, owner=owner)

    async def stop_container(self, place: Place, *, owner: str) -> Task:
        """See `Containers.stop_container`."""
        return await self._act("StopContainer", place, owner=owner)

    async def destroy_container(self, place: Place, *, owner: str) -> Task:
        """See `Containers.destroy_container`."""
        return await self._act("DestroyContainer", place, owner=owner)

    async def has_container(self, place: Place) -> bool:
        """See `Containers.has_container`."""
        return await self._find(place) is not None

    async def is_running(self, place: Place) -> bool:
        """See `Containers.is_running`."""
        container = await self._find(place)
        return container is not None and container.status == "running"

    async def _find(self, place: Place) -> containers_pb.Container | None:
        request = containers_pb.GetContainerRequest(container=convert.render_place(place))
        try:
            found: containers_pb.Container = await self._call("GetContainer", request)
        except NotFoundError:
            return None
        return found

    async def list_archives(self, place: Place) -> tuple[Sequence[Archive], bool]:
        """See `Containers.list_archives`."""
        request = containers_pb.ListArchivesRequest(host_id=place.host_id, vmid=place.vmid)
        listed = await self._call("ListArchives", request)
        return [convert.parse_archive(archive) for archive in listed.archives], listed.complete

    async def update_archive(
        self, host_id: int, volume_id: str, *, protected: bool | None, notes: str | None
    ) -> None:
        """See `Containers.update_archive`."""
        request = containers_pb.UpdateArchiveRequest(
            host_id=host_id, volume_id=volume_id, protected=protected, notes=notes
        )
        await self._call("UpdateArchive", request, timeout=20)

    async def delete_archive(self, host_id: int, volume_id: str) -> Task:
        """See `Containers.delete_archive`."""
        request = containers_pb.DeleteArchiveRequest(host_id=host_id, volume_id=volume_id)
        try:
            return convert.parse_task(await self._call("DeleteArchive", request))
        except NotFoundError:
            return Task(host_id, "", "")

    async def is_dumping(self, place: Place) -> bool:
        """See `Containers.is_dumping`."""
        request = containers_pb.ListContainerTasksRequest(container=convert.render_place(place))
        listed = await self._call("ListContainerTasks", request)
        return any(task.type == "vzdump" for task in listed.tasks)

    async def stop_task(self, task: Task) -> None:
        """See `Containers.stop_task`."""
        await self._call("StopTask", convert.render_watch(task))

    async def watch_task(self, task: Task) -> AsyncIterator[TaskUpdate]:
        """See `Containers.watch_task`."""
        stream = self._clients.stream(
            "inventory", ContainerServiceStub, "WatchTask", convert.render_watch(task), timeout=_TASK_S
        )
        async for progress in stream:
            yield convert.parse_progress(progress)

    async def _act(self, method: str, place: Place, *, owner: str) -> Task:
        request = containers_pb.ContainerActionRequest(container=convert.render_place(place), owner=owner)
        return convert.parse_task(await self._call(method, request))

    async def _call(self, method: str, request: Message, *, timeout: float = _PROXMOX_S) -> Any:
        return await self._clients.call("inventory", ContainerServiceStub, method, request, timeout=timeout)
