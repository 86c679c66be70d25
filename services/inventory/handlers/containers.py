"""RPCs of ContainerService, one method each."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from google.protobuf import empty_pb2
from proximity.inventory.v1 import container_service_pb2 as cs

from services.common.rpc.call import Call
from services.inventory.convert import containers as convert
from services.inventory.convert import settings as convert_settings
from services.inventory.convert.hosts import parse_host_id
from services.inventory.domain.containers import ProxmoxTask
from services.inventory.domain.interfaces import (
    CandidateReader,
    ContainerScanner,
    HostStore,
    PortProber,
    SettingsStore,
)
from services.inventory.domain.terminals import TerminalOpener
from services.inventory.handlers.archives import ArchiveHandlers
from services.inventory.handlers.container_reads import ContainerReadHandlers
from services.inventory.handlers.guests import GuestHandlers
from services.inventory.handlers.restore_tests import RestoreTestHandlers
from services.inventory.proxmox.containers import ContainerLookup
from services.inventory.usecases import (
    guests,
    ownership,
    placement,
    power,
    snapshots,
    tasks,
)
from services.inventory.usecases.clone_container import clone_container
from services.inventory.usecases.configure_container import configure_container
from services.inventory.usecases.create_container import CreationContext, create_container
from services.inventory.usecases.migrate_container import migrate_container
from services.inventory.usecases.move_volume import move_volume
from services.inventory.usecases.pull_image import pull_image


class ContainerHandlers(ArchiveHandlers, ContainerReadHandlers, GuestHandlers, RestoreTestHandlers):
    """ContainerService."""

    def __init__(
        self,
        containers: ContainerLookup,
        context: CreationContext,
        *,
        hosts: HostStore,
        scanner: ContainerScanner,
        candidates: CandidateReader,
        ports: PortProber,
        settings: SettingsStore,
        terminals: TerminalOpener,
    ) -> None:
        self._containers = containers
        self._fleet = containers.fleet
        self._vmids = containers.vmids
        self._context = context
        self._access = context.access
        self._networks = context.networks
        self._hosts = hosts
        self._scanner = scanner
        self._candidates = candidates
        self._ports = ports
        self._settings = settings
        self._terminals = terminals

    async def _start(
        self, use_case: Callable[..., Awaitable[ProxmoxTask]], request: Any, **options: Any
    ) -> cs.Task:
        """Call a use case on the owner's container that starts a task, and render the task."""
        ref = convert.parse_ref(request.container)
        return convert.render_task(await use_case(self._containers, ref, owner=request.owner, **options))

    async def place_container(self, request: cs.PlaceContainerRequest, _call: Call) -> cs.Placement:
        place = await placement.place_container(
            self._hosts,
            self._candidates,
            fleet=self._fleet,
            networks=self._networks,
            request=convert.parse_placement_request(request),
            network_request=convert_settings.parse_network_request(request),
            host_id=parse_host_id(request),
            owner=request.owner,
        )
        return convert.render_placement(place)

    async def reserve_vmid(self, request: cs.ReserveVmidRequest, _call: Call) -> cs.ReserveVmidResponse:
        vmid = await placement.reserve_vmid(
            self._vmids, self._fleet, host_id=request.host_id, owner=request.owner
        )
        return cs.ReserveVmidResponse(vmid=vmid)

    async def release_vmid(self, request: cs.ReleaseVmidRequest, _call: Call) -> empty_pb2.Empty:
        await placement.release_vmid(self._vmids, host_id=request.host_id, owner=request.owner)
        return empty_pb2.Empty()

    async def create_container(self, request: cs.CreateContainerRequest, _call: Call) -> cs.Task:
        task = await create_container(
            self._containers,
            self._context,
            ref=convert.parse_ref(request.container),
            owner=request.owner,
            wanted=convert.parse_new_container(request),
        )
        return convert.render_task(task)

    async def start_container(self, request: cs.ContainerActionRequest, _call: Call) -> cs.Task:
        return await self._start(power.start_container, request, networks=self._networks)

    async def stop_container(self, request: cs.ContainerActionRequest, _call: Call) -> cs.Task:
        return await self._start(power.stop_container, request, timeout_s=request.timeout_s)

    async def reboot_container(self, request: cs.ContainerActionRequest, _call: Call) -> cs.Task:
        return await self._start(power.reboot_container, request, timeout_s=request.timeout_s)

    async def destroy_container(self, request: cs.ContainerActionRequest, _call: Call) -> cs.Task:
        return await self._start(power.destroy_container, request, access=self._access)

    async def clone_container(self, request: cs.CloneContainerRequest, _call: Call) -> cs.Task:
        task = await clone_container(
            self._containers,
            convert.parse_ref(request.source),
            source_owner=request.source_owner,
            target=convert.parse_ref(request.target),
            target_owner=request.target_owner,
            hostname=request.hostname,
        )
        return convert.render_task(task)

    async def configure_container(self, request: cs.ConfigureContainerRequest, _call: Call) -> cs.Task:
        return await self._start(configure_container, request, **convert.parse_configuration(request))

    async def adopt_container(self, request: cs.ContainerActionRequest, _call: Call) -> empty_pb2.Empty:
        await ownership.adopt_container(
            self._containers,
            self._networks,
            ref=convert.parse_ref(request.container),
            owner=request.owner,
            instead_of=request.instead_of,
        )
        return empty_pb2.Empty()

    async def list_address_conflicts(
        self, request: cs.GetContainerRequest, _call: Call
    ) -> cs.ListAddressConflictsResponse:
        ref = convert.parse_ref(request.container)
        found = await ownership.list_address_conflicts(self._containers, self._networks, ref=ref)
        return cs.ListAddressConflictsResponse(conflicts=found)

    async def release_container(self, request: cs.ContainerActionRequest, _call: Call) -> empty_pb2.Empty:
        ref = convert.parse_ref(request.container)
        await ownership.release_container(self._containers, ref, owner=request.owner)
        return empty_pb2.Empty()

    async def snapshot_container(self, request: cs.SnapshotRequest, _call: Call) -> cs.Task:
        return await self._start(snapshots.snapshot_container, request, name=request.name)

    async def rollback_container(self, request: cs.SnapshotRequest, _call: Call) -> cs.Task:
        return await self._start(snapshots.rollback_container, request, name=request.name)

    async def delete_snapshot(self, request: cs.SnapshotRequest, _call: Call) -> cs.Task:
        return await self._start(snapshots.delete_snapshot, request, name=request.name)

    async def drop_snapshots(self, request: cs.DropSnapshotsRequest, _call: Call) -> cs.DropSnapshotsResponse:
        ref = convert.parse_ref(request.container)
        names = await snapshots.drop_snapshots(
            self._containers, ref, owner=request.owner, min_age_s=request.min_age_s
        )
        return cs.DropSnapshotsResponse(names=names)

    async def migrate_container(self, request: cs.MigrateContainerRequest, _call: Call) -> cs.Task:
        return await self._start(migrate_container, request, target_node=request.target_node)

    async def move_volume(self, request: cs.MoveVolumeRequest, _call: Call) -> cs.Task:
        task = await move_volume(
            self._containers,
            source=convert.parse_ref(request.source),
            target=convert.parse_ref(request.target),
            source_owner=request.source_owner,
            target_owner=request.target_owner,
        )
        return convert.render_task(task)

    async def watch_task(self, request: cs.WatchTaskRequest, _call: Call) -> AsyncIterator[cs.TaskProgress]:
        watched = tasks.watch_task(
            self._fleet,
            request.host_id,
            node=request.node,
            upid=request.upid,
            stall_s=request.stall_timeout_s,
        )
        async for progress in watched:
            yield convert.render_progress(progress)

    async def list_container_tasks(
        self, request: cs.ListContainerTasksRequest, _call: Call
    ) -> cs.ListContainerTasksResponse:
        ref = convert.parse_ref(request.container)
        found = await tasks.list_container_tasks(self._fleet, ref, include_finished=request.include_finished)
        return cs.ListContainerTasksResponse(tasks=[convert.render_container_task(one) for one in found])

    async def stop_task(self, request: cs.WatchTaskRequest, _call: Call) -> empty_pb2.Empty:
        await tasks.stop_task(self._fleet, request.host_id, node=request.node, upid=request.upid)
        return empty_pb2.Empty()

    async def probe_port(self, request: cs.ProbePortRequest, _call: Call) -> cs.ProbePortResponse:
        probe = await guests.probe_port(
            self._containers,
            self._access,
            ports=self._ports,
            ref=convert.parse_ref(request.container),
            owner=request.owner,
            port=request.port,
            scheme=request.scheme,
            path=request.path,
            thorough=request.thorough,
            wait_s=request.wait_s,
            inside=request.inside,
        )
        return convert.render_probe(probe)

    async def pull_image(self, request: cs.PullImageRequest, _call: Call) -> cs.Task:
        task = await pull_image(
            self._fleet,
            request.host_id,
            node=request.node,
            reference=request.reference,
            storage=request.storage,
        )
        return convert.render_task(task)
