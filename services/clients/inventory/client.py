"""Containers by gRPC: what inventory does for this service, as `Containers` of `domain/interfaces.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.empty_pb2 import Empty
from proximity.inventory.v1 import container_service_pb2 as pb
from proximity.inventory.v1.container_service_pb2_grpc import ContainerServiceStub

from services.clients.inventory.convert import (
    parse_container,
    parse_defaults,
    parse_placement,
    parse_scan,
    parse_task,
    render_creation,
    render_ref,
    render_wanted,
)
from services.clients.inventory.errors import TaskFailedError, TaskLockedError
from services.clients.inventory.interface import OnProgress, OnText
from services.clients.inventory.values import (
    Container,
    Defaults,
    NewContainer,
    Placement,
    Probe,
    Ref,
    RunningTask,
    Scan,
    Task,
    Wanted,
)
from services.common.core.errors import NotFoundError, UnavailableError
from services.common.operations.model import TransientError
from services.common.rpc.client import Clients

_ACTIONS = {
    "start": "StartContainer",
    "stop": "StopContainer",
    "reboot": "RebootContainer",
    "destroy": "DestroyContainer",
    "adopt": "AdoptContainer",
    "release": "ReleaseContainer",
}
_SNAPSHOTS = {"make": "SnapshotContainer", "rollback": "RollbackContainer", "delete": "DeleteSnapshot"}
_WRITE_S = 60.0
_BRIEF_S = 3.0  # a caller that waits no longer than this is not helped by a second attempt
_DROP_S = 300.0
_HELD_UP_S = 5.0  # before the next try of what a lock or a missing quorum refused
_TASK_S = 24 * 3600.0
_EXEC_S = 6 * 3600


class GrpcContainers:
    """`Containers` by way of inventory."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def _call(self, method: str, request: Any, *, timeout: float = _WRITE_S, retry: bool = True) -> Any:
        return await self._clients.call(
            "inventory", ContainerServiceStub, method, request, timeout=timeout, retry=retry
        )

    async def place(self, wanted: Wanted) -> Placement:
        """Choose host and node."""
        return parse_placement(await self._call("PlaceContainer", render_wanted(wanted), timeout=10))

    async def get_defaults(self) -> Defaults:
        """Read the settings for deployments."""
        return parse_defaults(await self._call("GetDeploymentDefaults", Empty(), timeout=5))

    async def reserve_vmid(self, host_id: int, owner: str) -> int:
        """Reserve a container id."""
        request = pb.ReserveVmidRequest(host_id=host_id, owner=owner)
        return int((await self._call("ReserveVmid", request)).vmid)

    async def release_vmid(self, host_id: int, owner: str) -> None:
        """Give a reservation back."""
        await self._call("ReleaseVmid", pb.ReleaseVmidRequest(host_id=host_id, owner=owner))

    async def create(self, ref: Ref, owner: str, new: NewContainer) -> Task:
        """Create a container."""
        request = render_creation(ref, owner, new)
        return parse_task(await self._call("CreateContainer", request))

    async def act(self, action: str, ref: Ref, *, owner: str) -> Task:
        """Start, stop, reboot or destroy."""
        request = pb.ContainerActionRequest(container=render_ref(ref), owner=owner)
        return parse_task(await self._call(_ACTIONS[action], request, retry=action != "reboot"))

    async def mark(self, action: str, ref: Ref, *, owner: str, instead_of: str = "") -> None:
        """Adopt or release."""
        request = pb.ContainerActionRequest(container=render_ref(ref), owner=owner, instead_of=instead_of)
        await self._call(_ACTIONS[action], request)

    async def clone(self, source: Ref, source_owner: str, *, target: Ref, owner: str, hostname: str) -> Task:
        """Copy a container."""
        request = pb.CloneContainerRequest(
            source=render_ref(source),
            source_owner=source_owner,
            target=render_ref(target),
            target_owner=owner,
            hostname=hostname,
        )
        return parse_task(await self._call("CloneContainer", request))

    async def configure(self, ref: Ref, owner: str, *, changes: Mapping[str, Any]) -> Task:
        """Change a container."""
        request = pb.ConfigureContainerRequest(container=render_ref(ref), owner=owner, **changes)
        return parse_task(await self._call("ConfigureContainer", request))

    async def snapshot(self, action: str, ref: Ref, *, owner: str, name: str) -> Task:
        """Make, roll back to or delete a snapshot."""
        request = pb.SnapshotRequest(container=render_ref(ref), owner=owner, name=name)
        return parse_task(await self._call(_SNAPSHOTS[action], request))

    async def drop_snapshots(self, ref: Ref, owner: str, *, min_age_s: int) -> list[str]:
        """Delete the platform's own old snapshots."""
        request = pb.DropSnapshotsRequest(container=render_ref(ref), owner=owner, min_age_s=min_age_s)
        return list((await self._call("DropSnapshots", request, timeout=_DROP_S)).names)

    async def migrate(self, ref: Ref, owner: str, *, node: str) -> Task:
        """Move to another node."""
        request = pb.MigrateContainerRequest(container=render_ref(ref), owner=owner, target_node=node)
        return parse_task(await self._call("MigrateContainer", request))

    async def move_volume(self, source: Ref, source_owner: str, *, target: Ref, owner: str) -> Task:
        """Hand one volume over."""
        request = pb.MoveVolumeRequest(
            source=render_ref(source),
            source_owner=source_owner,
            target=render_ref(target),
            target_owner=owner,
        )
        return parse_task(await self._call("MoveVolume", request))

    async def restore_beside(
        self, ref: Ref, owner: str, *, archive: str, hostname: str, storage: str
    ) -> Task:
        """Make a new container of an archive."""
        request = pb.RestoreContainerRequest(
            container=render_ref(ref), owner=owner, archive=archive, storage=storage, hostname=hostname
        )
        request.beside = True
        return parse_task(await self._call("RestoreContainer", request))

    async def restore(self, ref: Ref, owner: str, *, archive: str, storage: str) -> Task:
        """Overwrite a container with an archive of it."""
        request = pb.RestoreContainerRequest(
            container=render_ref(ref), owner=owner, archive=archive, storage=storage
        )
        return parse_task(await self._call("RestoreContainer", request))

    async def pull_image(self, host_id: int, node: str, *, image: str, storage: str) -> Task:
        """Pull an OCI image."""
        request = pb.PullImageRequest(host_id=host_id, node=node, reference=image, storage=storage)
        return parse_task(await self._call("PullImage", request))

    async def finish(self, task: Task, on_progress: OnProgress) -> str:
        """Follow a task to its end."""
        if not task.upid:
            return task.result
        request = pb.WatchTaskRequest(host_id=task.host_id, node=task.node, upid=task.upid)
        stream = self._clients.stream(
            "inventory", ContainerServiceStub, "WatchTask", request, timeout=_TASK_S
        )
        async for progress in stream:
            why = f"Proxmox: {progress.reason or progress.exit_status}"
            if not progress.done:
                percent = progress.percent if progress.HasField("percent") else None
                await on_progress(percent, list(progress.lines))
            elif progress.succeeded:
                if progress.exit_status != "OK":  # WARNINGS: their lines belong in the app's log
                    await on_progress(None, list(progress.lines))
                return progress.result or task.result
            elif progress.held_up:
                raise TaskLockedError(why, retry_after=_HELD_UP_S)
            elif progress.may_pass:
                raise TransientError(why)
            else:
                await on_progress(None, list(progress.lines))  # what led to it, for the app's log
                raise TaskFailedError(why)
        raise UnavailableError(f"the task {task.upid} was not followed to its end")

    async def list_tasks(self, ref: Ref) -> list[RunningTask]:
        """Tasks that run on a container."""
        answer = await self._call(
            "ListContainerTasks", pb.ListContainerTasksRequest(container=render_ref(ref))
        )
        return [
            RunningTask(one.type, Task(ref.host_id, one.node or ref.node, one.upid)) for one in answer.tasks
        ]

    async def stop_task(self, task: Task) -> None:
        """Stop a task."""
        await self._call(
            "StopTask", pb.WatchTaskRequest(host_id=task.host_id, node=task.node, upid=task.upid)
        )

    async def find(self, ref: Ref, *, timeout: float = 10.0) -> Container | None:
        """One container."""
        request = pb.GetContainerRequest(container=render_ref(ref))
        try:
            return parse_container(
                await self._call("GetContainer", request, timeout=timeout, retry=timeout > 2)
            )
        except NotFoundError:
            return None

    async def find_owned(
        self, owner: str, *, host_id: int, hostname: str, timeout: float = _WRITE_S
    ) -> list[Container]:
        """The containers with an owner's mark."""
        request = pb.FindOwnedContainersRequest(owner=owner, host_id=host_id, hostname=hostname)
        answer = await self._call("FindOwnedContainers", request, timeout=timeout, retry=timeout > _BRIEF_S)
        return [parse_container(one) for one in answer.containers]

    async def scan(self, host_id: int | None = None, *, with_addresses: bool = False) -> Scan:
        """All containers of the hosts that answer."""
        request = pb.ListContainersRequest(host_id=host_id, with_addresses=with_addresses)
        answer = await self._call("ListContainers", request)
        return parse_scan(answer)

    async def measure(self, host_id: int, *, timeout: float) -> Mapping[int, Container]:
        """The containers of a host by id."""
        request = pb.ListContainersRequest(host_id=host_id, brief=True)
        answer = await self._call("ListContainers", request, timeout=timeout, retry=False)
        return {item.vmid: parse_container(item) for item in answer.containers}

    async def find_web_port(self, ref: Ref) -> int | None:
        """The port of the application's page."""
        answer = await self._call("InspectContainer", pb.GetContainerRequest(container=render_ref(ref)))
        return int(answer.web_port) if answer.HasField("web_port") else None

    async def execute(
        self,
        ref: Ref,
        owner: str,
        *,
        argv: Sequence[str],
        on_text: OnText,
        stdin: bytes = b"",
        stall_s: int = 600,
    ) -> int:
        """Run a command inside."""
        request = pb.ExecRequest(
            container=render_ref(ref),
            owner=owner,
            argv=argv,
            stdin=stdin,
            stall_timeout_s=stall_s,
            timeout_s=_EXEC_S,
        )
        stream = self._clients.stream(
            "inventory", ContainerServiceStub, "Exec", request, timeout=_EXEC_S + 30.0
        )
        async for output in stream:
            if output.text:
                await on_text(output.text)
            if output.HasField("exit_code"):
                return int(output.exit_code)
        raise UnavailableError(f"the command {argv[0]} was not followed to its end")

    async def push_file(self, ref: Ref, owner: str, *, path: str, content: str, mode: int) -> None:
        """Write a file inside."""
        request = pb.PushFileRequest(
            container=render_ref(ref), owner=owner, path=path, content=content.encode(), mode=mode
        )
        await self._call("PushFile", request)

    async def probe(
        self,
        ref: Ref,
        owner: str,
        *,
        port: int,
        scheme: str,
        path: str,
        thorough: bool = True,
        wait_s: float = 0,
    ) -> Probe:
        """Ask a port."""
        request = pb.ProbePortRequest(
            container=render_ref(ref),
            owner=owner,
            port=port,
            scheme=scheme,
            path=path,
            thorough=thorough,
            wait_s=wait_s,
        )
        answer = await self._call("ProbePort", request, timeout=20)
        return Probe(answer.answered, answer.address, answer.message)
