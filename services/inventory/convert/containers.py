"""Protobuf <-> domain: containers, their tasks and archives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf import json_format, struct_pb2
from proximity.inventory.v1 import container_service_pb2 as cs

from services.common.rpc.handlers import parse_patch
from services.common.rpc.responses.rendered import render_time
from services.inventory.domain.container_spec import ContainerSpec, MountPoint
from services.inventory.domain.containers import ContainerRef, ListedBackup, ListedTask, ProxmoxTask
from services.inventory.domain.disks import Disk, parse_disks
from services.inventory.domain.migration import MigrationTarget
from services.inventory.domain.patches import ArchiveChanges, ContainerOptions
from services.inventory.domain.placement import ChosenPlace, PlacementRequest
from services.inventory.domain.ports import Inspection, PortProbe
from services.inventory.domain.scans import HostScan, ScannedContainer
from services.inventory.domain.storages import StorageOnNode
from services.inventory.proxmox.archives import ArchiveVolume
from services.inventory.proxmox.tasks import Progress


def parse_ref(ref: cs.ContainerRef) -> ContainerRef:
    """Parse the place of a container."""
    return ContainerRef(ref.host_id, ref.vmid, ref.node)


def render_task(task: ProxmoxTask) -> cs.Task:
    """Render a task."""
    return cs.Task(
        host_id=task.host_id, node=task.node, upid=task.upid, result=task.result, warnings=task.warnings
    )


def render_progress(progress: Progress) -> cs.TaskProgress:
    """Render the progress of a task."""
    return cs.TaskProgress(
        percent=progress.percent,
        lines=progress.lines,
        done=progress.done,
        succeeded=progress.succeeded,
        exit_status=progress.exit_status,
        result=progress.result,
        may_pass=progress.may_pass,
        held_up=progress.is_locked_out,
        reason=progress.reason,
    )


def parse_new_container(request: cs.CreateContainerRequest) -> ContainerSpec:
    """Parse a container to create; empty sizes are small defaults, which only callers without plans use."""
    return ContainerSpec(
        hostname=request.hostname,
        memory_mb=request.memory_mb or 512,
        swap_mb=request.swap_mb,
        cores=request.cores or 1,
        disk_gb=request.disk_gb or 4,
        template=request.template,
        storage=request.storage,
        network_cidr=request.network_cidr,
        bridge=request.bridge,
        vlan_tag=request.vlan_tag if request.HasField("vlan_tag") else None,
        gateway=request.gateway,
        nameservers=tuple(request.nameservers),
        password=request.password,
        docker=request.docker,
        oci=request.oci,
        environment=dict(request.environment),
        entrypoint=request.entrypoint,
        mounts=tuple(
            MountPoint(path=one.path, size_gb=one.size_gb, backup=one.backup) for one in request.mounts
        ),
        note=request.note,
        devices=tuple(request.devices),
    )


def parse_placement_request(request: cs.PlaceContainerRequest) -> PlacementRequest:
    """Parse the requirements on a place."""
    return PlacementRequest(
        node=request.node,
        memory_mb=request.memory_mb,
        storage=request.storage,
        oci=request.oci,
        disk_gb=request.disk_gb,
        architectures=tuple(request.architectures),
        devices=tuple(request.devices),
    )


def render_placement(place: ChosenPlace) -> cs.Placement:
    """Render the place of a new container."""
    return cs.Placement(
        host_id=place.candidate.host_id,
        host_name=place.candidate.host_name,
        node=place.candidate.node,
        oci=not place.oci_obstacle,
        oci_reason=place.oci_obstacle,
        exec_mode=place.candidate.exec_mode,
        bridge=place.bridge,
        gateway=place.gateway,
        architecture=place.candidate.architecture,
    )


def parse_configuration(request: cs.ConfigureContainerRequest) -> dict[str, Any]:
    """Parse the changes of a container as arguments of `configure_container`."""
    return {
        "changes": parse_patch(request, ContainerOptions),
        "disk_gb": request.disk_gb if request.HasField("disk_gb") else None,
        "environment": dict(request.environment),
        "dropped_variables": tuple(request.dropped_variables),
    }


def parse_archive_changes(request: cs.UpdateArchiveRequest) -> ArchiveChanges:
    """Parse the changes of an archive."""
    return parse_patch(request, ArchiveChanges)


def render_output(piece: str | int) -> cs.ExecOutput:
    """Render a piece of a command's output, or its exit code."""
    return cs.ExecOutput(text=piece) if isinstance(piece, str) else cs.ExecOutput(exit_code=piece)


def render_container(one: ScannedContainer) -> cs.Container:
    """Render a container."""
    message = cs.Container(
        host_id=one.host_id,
        host_name=one.host_name,
        vmid=one.vmid,
        node=one.node,
        name=one.name,
        status=one.status,
        memory=one.memory,
        memory_used=one.memory_used,
        disk=one.disk,
        disk_used=one.disk_used,
        uptime=one.uptime,
        cpus=one.cpus,
        cpu_usage=one.cpu_usage,
        ip_address=one.ip_address or None,
        tags=one.tags,
        owner=one.owner,
        lock=one.lock or None,
        template=one.template,
        named_owner=one.named_owner,
    )
    # A Struct and no message of ours: each release of Proxmox adds options, which callers only look up.
    if one.config:
        message.config.CopyFrom(json_format.ParseDict(one.config, struct_pb2.Struct()))
        disks = [disk for disk in parse_disks(one.config) if disk.path]
        message.disks.has_root = any(disk.key == "rootfs" for disk in disks)
        message.disks.mount_paths.extend(disk.path for disk in disks if disk.key != "rootfs")
    return message


def render_scans(scans: list[HostScan]) -> cs.ListContainersResponse:
    """Render the containers of hosts and how their scans went."""
    return cs.ListContainersResponse(
        containers=[render_container(one) for scan in scans for one in scan.containers],
        scans=[
            cs.HostScan(
                host_id=scan.host_id,
                complete=scan.complete,
                error=scan.error,
                missing_nodes=scan.missing_nodes,
            )
            for scan in scans
        ],
    )


def render_volume(one: Disk) -> cs.ContainerVolume:
    """Render a volume of a container."""
    size, description = one.size_gb, one.describe()
    return cs.ContainerVolume(
        key=one.key, path=one.path, storage=one.storage, size_gb=size, description=description
    )


def render_archive(one: ArchiveVolume) -> cs.Archive:
    """Render an archive."""
    return cs.Archive(
        volume_id=one.volume_id,
        storage=one.storage,
        file_name=_name_archive(one.volume_id),
        vmid=one.vmid,
        size=one.size,
        protected=one.protected,
        notes=one.notes,
        node=one.node,
        created_at=render_time(datetime.fromtimestamp(one.created_at, UTC)),
        verification=one.verification,
        encrypted=one.encrypted,
    )


def _name_archive(volume_id: str) -> str:
    """Return vzdump-lxc-105-….tar.zst, or on a Proxmox Backup Server ct/105/2026-01-31T12:00:00Z."""
    name = volume_id.partition(":")[2].removeprefix("backup/")
    return name if name.startswith("ct/") else name.rpartition("/")[2]


def render_container_task(one: ListedTask) -> cs.ContainerTask:
    """Render a task of a container."""
    return cs.ContainerTask(
        upid=one.upid,
        node=one.node,
        type=one.type,
        running=one.is_running,
        exit_status=one.exit_status,
        started_at=render_time(datetime.fromtimestamp(one.started_at, UTC)),
    )


def render_backup_storage(one: StorageOnNode) -> cs.BackupStorage:
    """Render a storage of a node."""
    return cs.BackupStorage(
        name=one.name,
        node=one.node,
        shared=one.shared,
        takes_backups=one.takes_backups,
        available=one.available,
        total=one.total,
        used=one.used,
        max_archives=one.max_archives,
    )


def render_running_backup(one: ListedBackup) -> cs.RunningBackup:
    """Render a vzdump that runs."""
    return cs.RunningBackup(node=one.node, upid=one.upid, vmid=one.vmid, user=one.user)


def render_probe(probe: PortProbe) -> cs.ProbePortResponse:
    """Render the outcome of a probe."""
    return cs.ProbePortResponse(
        answered=probe.answered, address=probe.address, http_status=probe.http_status, message=probe.message
    )


def render_inspection(found: Inspection) -> cs.Inspection:
    """Render the inspection of a container."""
    return cs.Inspection(
        ports=[
            cs.ListeningPort(port=one.port, protocol=one.protocol, process=one.process, http=one.http)
            for one in found.ports
        ],
        web_port=found.web_port,
        image=found.image or None,
        os=found.os or None,
        ip_address=found.ip_address or None,
    )


def render_targets(node: str, targets: Sequence[MigrationTarget]) -> cs.ListMigrationTargetsResponse:
    """Render the nodes that a container on `node` may go to."""
    return cs.ListMigrationTargetsResponse(
        node=node, targets=[cs.MigrationTarget(**vars(one)) for one in targets]
    )
