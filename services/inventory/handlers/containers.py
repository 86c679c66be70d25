"""ContainerService, one method per RPC."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from google.protobuf import empty_pb2
from proximity.inventory.v1 import container_service_pb2 as cs

from services.common.rpc.call import Call
from services.inventory.convert import containers as convert
from services.inventory.convert import settings as convert_settings
from services.inventory.handlers.archives import ArchiveHandlers
from services.inventory.placing import Placing
from services.inventory.proxmox import (
    archives,
    copies,
    create,
    failover,
    images,
    inside,
    power,
    reading,
    snapshots,
    volumes,
)
from services.inventory.proxmox.containers import Containers, ProxmoxTask
from services.inventory.proxmox.marks import find_owner
from services.inventory.store import SqlSettingsStore, SqlVmidStore


class ContainerHandlers(ArchiveHandlers):
    """ContainerService."""

    def __init__(
        self,
        containers: Containers,
        means: create.Means,
        *,
        placing: Placing,
        vmids: SqlVmidStore,
        settings: SqlSettingsStore,
    ) -> None:
        self._containers = containers
        self._fleet = containers.fleet
        self._means = means
        self._ways = means.ways
        self._placing = placing
        self._vmids = vmids
        self._settings = settings

    async def _act(
        self, work: Callable[..., Awaitable[ProxmoxTask]], request: Any, **options: Any
    ) -> cs.Task:
        """What most RPCs are: something done to the owner's container, which is a task."""
        ref = convert.parse_ref(request.container)
        return convert.render_task(await work(self._containers, ref, request.owner, **options))

    async def place_container(self, request: cs.PlaceContainerRequest, _call: Call) -> cs.Placement:
        return await self._placing.place(request)

    async def reserve_vmid(self, request: cs.ReserveVmidRequest, _call: Call) -> cs.ReserveVmidResponse:
        return cs.ReserveVmidResponse(vmid=await self._placing.reserve_vmid(request.host_id, request.owner))

    async def release_vmid(self, request: cs.ReleaseVmidRequest, _call: Call) -> empty_pb2.Empty:
        await self._vmids.release_vmid(request.host_id, request.owner)
        return empty_pb2.Empty()

    async def create_container(self, request: cs.CreateContainerRequest, _call: Call) -> cs.Task:
        wanted = convert.parse_new_container(request)
        ref = convert.parse_ref(request.container)
        return convert.render_task(
            await create.create_container(
                self._containers, self._means, ref, owner=request.owner, wanted=wanted
            )
        )

    async def start_container(self, request: cs.ContainerActionRequest, _call: Call) -> cs.Task:
        ref = convert.parse_ref(request.container)
        return convert.render_task(
            await power.start_container(self._containers, self._means.networks, ref, owner=request.owner)
        )

    async def stop_container(self, request: cs.ContainerActionRequest, _call: Call) -> cs.Task:
        return await self._act(power.stop_container, request, timeout_s=request.timeout_s)

    async def reboot_container(self, request: cs.ContainerActionRequest, _call: Call) -> cs.Task:
        return await self._act(power.reboot_container, request, timeout_s=request.timeout_s)

    async def destroy_container(self, request: cs.ContainerActionRequest, _call: Call) -> cs.Task:
        ref = convert.parse_ref(request.container)
        task = await power.destroy_container(self._containers, self._ways, ref, owner=request.owner)
        return convert.render_task(task)

    async def clone_container(self, request: cs.CloneContainerRequest, _call: Call) -> cs.Task:
        task = await copies.clone_container(
            self._containers,
            convert.parse_ref(request.source),
            source_owner=request.source_owner,
            target=convert.parse_ref(request.target),
            target_owner=request.target_owner,
            hostname=request.hostname,
        )
        return convert.render_task(task)

    async def configure_container(self, request: cs.ConfigureContainerRequest, _call: Call) -> cs.Task:
        return await self._act(
            copies.configure_container,
            request,
            changes=convert.parse_configuration(request),
            disk_gb=request.disk_gb if request.HasField("disk_gb") else None,
            environment=dict(request.environment),
            dropped_variables=tuple(request.dropped_variables),
        )

    async def adopt_container(self, request: cs.ContainerActionRequest, _call: Call) -> empty_pb2.Empty:
        ref = convert.parse_ref(request.container)
        view = await self._containers.look(ref)
        is_marked = find_owner(view.config) == request.owner
        await self._vmids.claim_vmid(ref.host_id, ref.vmid, owner=request.owner, instead=is_marked)
        await copies.adopt_container(self._containers, ref, request.owner, instead_of=request.instead_of)
        await self._means.networks.note_addresses(view, request.owner)
        return empty_pb2.Empty()

    async def release_container(self, request: cs.ContainerActionRequest, _call: Call) -> empty_pb2.Empty:
        ref = convert.parse_ref(request.container)
        await copies.release_container(self._containers, ref, request.owner)
        await self._vmids.release_vmid(ref.host_id, request.owner)
        return empty_pb2.Empty()

    async def snapshot_container(self, request: cs.SnapshotRequest, _call: Call) -> cs.Task:
        return await self._act(snapshots.snapshot_container, request, name=request.name)

    async def rollback_container(self, request: cs.SnapshotRequest, _call: Call) -> cs.Task:
        return await self._act(snapshots.rollback_container, request, name=request.name)

    async def delete_snapshot(self, request: cs.SnapshotRequest, _call: Call) -> cs.Task:
        return await self._act(snapshots.delete_snapshot, request, name=request.name)

    async def drop_snapshots(self, request: cs.DropSnapshotsRequest, _call: Call) -> cs.DropSnapshotsResponse:
        ref = convert.parse_ref(request.container)
        names = await snapshots.drop_snapshots(
            self._containers, ref, request.owner, min_age_s=request.min_age_s
        )
        return cs.DropSnapshotsResponse(names=names)

    async def migrate_container(self, request: cs.MigrateContainerRequest, _call: Call) -> cs.Task:
        return await self._act(copies.migrate_container, request, target_node=request.target_node)

    async def move_volume(self, request: cs.MoveVolumeRequest, _call: Call) -> cs.Task:
        task = await volumes.move_volume(
            self._containers,
            convert.parse_ref(request.source),
            convert.parse_ref(request.target),
            source_owner=request.source_owner,
            target_owner=request.target_owner,
        )
        return convert.render_task(task)

    async def watch_task(self, request: cs.WatchTaskRequest, _call: Call) -> AsyncIterator[cs.TaskProgress]:
        client = await self._fleet.get_client(request.host_id)
        watched = failover.watch_task(client, request.node, request.upid, stall_s=request.stall_timeout_s)
        async for progress in watched:
            volume_id = await archives.name_volume(client, request.node, progress.job, done=progress.done)
            yield convert.render_progress(progress, volume_id)

    async def list_container_tasks(
        self, request: cs.ListContainerTasksRequest, _call: Call
    ) -> cs.ListContainerTasksResponse:
        ref = convert.parse_ref(request.container)
        found = await self._placing.list_tasks(ref, include_finished=request.include_finished)
        return cs.ListContainerTasksResponse(
            tasks=[convert.render_container_task(one, ref.node) for one in found]
        )

    async def stop_task(self, request: cs.WatchTaskRequest, _call: Call) -> empty_pb2.Empty:
        await failover.stop_task(await self._fleet.get_client(request.host_id), request.node, request.upid)
        return empty_pb2.Empty()

    async def get_container(self, request: cs.GetContainerRequest, _call: Call) -> cs.Container:
        view = await self._containers.look(convert.parse_ref(request.container), with_tasks=False)
        return convert.render_container(await reading.read_container(view))

    async def list_containers(
        self, request: cs.ListContainersRequest, _call: Call
    ) -> cs.ListContainersResponse:
        host_id = request.host_id if request.HasField("host_id") else None
        scans = await self._placing.scan_hosts(
            host_id, with_addresses=request.with_addresses, brief=request.brief
        )
        return convert.render_scans(scans)

    async def find_owned_containers(
        self, request: cs.FindOwnedContainersRequest, _call: Call
    ) -> cs.FindOwnedContainersResponse:
        found = await self._placing.find_owned(
            request.owner, host_id=request.host_id, hostname=request.hostname
        )
        return cs.FindOwnedContainersResponse(containers=[convert.render_container(one) for one in found])

    async def inspect_container(self, request: cs.GetContainerRequest, _call: Call) -> cs.Inspection:
        ref = convert.parse_ref(request.container)
        return convert.render_inspection(await inside.inspect_container(self._containers, self._ways, ref))

    async def exec(self, request: cs.ExecRequest, _call: Call) -> AsyncIterator[cs.ExecOutput]:
        pieces = inside.exec_command(
            self._containers,
            self._ways,
            convert.parse_ref(request.container),
            owner=request.owner,
            argv=list(request.argv),
            stdin=request.stdin,
            stall_s=request.stall_timeout_s,
            timeout_s=request.timeout_s,
        )
        async for piece in pieces:
            yield cs.ExecOutput(text=piece) if isinstance(piece, str) else cs.ExecOutput(exit_code=piece)

    async def push_file(self, request: cs.PushFileRequest, _call: Call) -> empty_pb2.Empty:
        await inside.push_file(
            self._containers,
            self._ways,
            convert.parse_ref(request.container),
            owner=request.owner,
            path=request.path,
            content=request.content,
            mode=request.mode,
        )
        return empty_pb2.Empty()

    async def probe_port(self, request: cs.ProbePortRequest, _call: Call) -> cs.ProbePortResponse:
        probe = await inside.probe_port(
            self._containers,
            self._ways,
            convert.parse_ref(request.container),
            owner=request.owner,
            port=request.port,
            scheme=request.scheme or "tcp",
            path=request.path,
            thorough=request.thorough,
            wait_s=request.wait_s,
        )
        return convert.render_probe(probe)

    async def pull_image(self, request: cs.PullImageRequest, _call: Call) -> cs.Task:
        client = await self._fleet.get_client(request.host_id)
        task = await images.pull_image(
            client, request.node, reference=request.reference, storage=request.storage
        )
        return convert.render_task(task)

    async def get_deployment_defaults(self, _: empty_pb2.Empty, _call: Call) -> cs.DeploymentDefaults:
        resources, network = await self._settings.get_resources(), await self._settings.get_network()
        return cs.DeploymentDefaults(
            resources=convert_settings.render_resources(*resources),
            network=convert_settings.render_network(*network),
        )
