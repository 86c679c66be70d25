"""protobuf of inventory's ContainerService <-> values."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from proximity.common.v1 import metrics_pb2
from proximity.inventory.v1 import container_service_pb2 as pb
from proximity.inventory.v1 import host_pb2

from services.clients.inventory.inspections import Inspected, OpenPort
from services.clients.inventory.metrics import MetricHistory, MetricSample
from services.clients.inventory.migration import MigrationTargets, TargetNode
from services.clients.inventory.values import (
    Container,
    ContainerTask,
    Defaults,
    NewContainer,
    NodeCapacity,
    Placement,
    Ref,
    Scan,
    Task,
    TaskKind,
    TaskProgress,
    Wanted,
)

_DEFAULT_VOLUME_GB = 4  # where nobody chose a size: enough for settings, soon grown for media


def render_wanted(wanted: Wanted) -> pb.PlaceContainerRequest:
    """Render the requirements on a place for a container."""
    return pb.PlaceContainerRequest(
        host_id=wanted.host_id,
        node=wanted.node,
        memory_mb=wanted.memory,
        disk_gb=wanted.disk_size,
        storage=wanted.storage,
        oci=wanted.oci,
        bridge=wanted.bridge,
        # 0 means untagged here; on the wire it is the absent field, since 0 is no VLAN.
        vlan=wanted.vlan or None,
        network_cidr=wanted.network_cidr,
        restricted=not wanted.any_network,
        owner=wanted.owner,
        architectures=wanted.architectures,
        devices=wanted.devices,
    )


def parse_capacity(node: host_pb2.Node) -> NodeCapacity:
    """Parse what a node has and uses."""
    return NodeCapacity(
        host_id=node.host_id,
        host_name=node.host_name,
        name=node.name,
        status=node.status,
        cpu_count=node.cpu_count,
        cpu_usage=node.cpu_usage,
        memory_total=node.memory_total,
        memory_used=node.memory_used,
        storage_total=node.storage_total,
        storage_used=node.storage_used,
        last_updated=node.last_updated.ToDatetime(UTC) if node.HasField("last_updated") else None,
    )


def parse_placement(answer: Any) -> Placement:
    """Parse the chosen host and node."""
    return Placement(
        host_id=answer.host_id,
        node=answer.node,
        oci=answer.oci,
        oci_reason=answer.oci_reason,
        exec_mode=answer.exec_mode,
        bridge=answer.bridge,
        gateway=answer.gateway,
        architecture=answer.architecture,
    )


def parse_defaults(answer: Any) -> Defaults:
    """Parse the settings that a deployment gets where it names nothing else."""
    resources, network = answer.resources, answer.network
    servers = (network.default_dns_primary, network.default_dns_secondary)
    return Defaults(
        memory=resources.default_memory_mb,
        cores=resources.default_cpu_cores,
        disk_size=resources.default_disk_gb,
        swap=resources.default_swap_mb,
        bridge=network.default_bridge,
        gateway=network.default_gateway,
        nameservers=tuple(server for server in servers if server),
    )


def render_creation(ref: Ref, owner: str, *, new: NewContainer) -> pb.CreateContainerRequest:
    """Render the container to create."""
    return pb.CreateContainerRequest(
        container=render_ref(ref),
        owner=owner,
        hostname=new.hostname,
        memory_mb=new.memory,
        swap_mb=new.swap,
        cores=new.cores,
        disk_gb=new.disk_size,
        template=new.template,
        storage=new.storage,
        network_cidr=new.network_cidr,
        bridge=new.bridge,
        # With DHCP the router comes from the lease, and Proxmox refuses a gateway without an address.
        gateway=new.gateway if new.network_cidr else "",
        vlan_tag=new.vlan or None,
        nameservers=new.nameservers,
        password=new.password,
        docker=new.docker,
        oci=new.oci,
        environment=new.environment,
        entrypoint=new.entrypoint,
        mounts=[
            pb.MountPoint(path=path, size_gb=size or _DEFAULT_VOLUME_GB, backup=True)
            for path, size in new.mounts
        ],
        note=new.note,
        devices=new.devices,
    )


def render_ref(ref: Ref) -> pb.ContainerRef:
    """Render where a container is."""
    return pb.ContainerRef(host_id=ref.host_id, vmid=ref.vmid, node=ref.node)


def parse_task(task: pb.Task) -> Task:
    """Parse a task."""
    return Task(task.host_id, task.node, task.upid, task.result, tuple(task.warnings))


def render_watch(task: Task) -> pb.WatchTaskRequest:
    """Render a task to follow or stop."""
    return pb.WatchTaskRequest(host_id=task.host_id, node=task.node, upid=task.upid)


def parse_progress(progress: pb.TaskProgress) -> TaskProgress:
    """Parse the progress of a task."""
    return TaskProgress(
        percent=progress.percent if progress.HasField("percent") else None,
        lines=tuple(progress.lines),
        done=progress.done,
        succeeded=progress.succeeded,
        exit_status=progress.exit_status,
        result=progress.result,
        reason=progress.reason,
        may_pass=progress.may_pass,
        held_up=progress.held_up,
    )


def parse_tasks(answer: pb.ListContainerTasksResponse, ref: Ref) -> list[ContainerTask]:
    """Parse the tasks that run on a container."""
    return [
        # Proxmox leaves out the node in answers of the node itself.
        ContainerTask(TaskKind(one.type), Task(ref.host_id, one.node or ref.node, one.upid))
        for one in answer.tasks
    ]


def parse_container(item: pb.Container) -> Container:
    """Parse a container."""
    return Container(
        host_id=item.host_id,
        vmid=item.vmid,
        node=item.node,
        name=item.name,
        status=item.status,
        memory=item.memory,
        memory_used=item.memory_used,
        disk=item.disk,
        disk_used=item.disk_used,
        uptime=item.uptime,
        cpus=item.cpus,
        cpu_usage=item.cpu_usage,
        address=item.ip_address,
        tags=tuple(item.tags),
        owner=item.owner,
        lock=item.lock,
        template=item.template,
        # Neither lists nor an inventory of the release before name the disks: that says nothing about them.
        mounts=tuple(item.disks.mount_paths) if item.HasField("disks") else None,
        named_owner=item.named_owner,
        bare=item.HasField("disks") and not item.disks.has_root,
    )


def parse_scan(answer: pb.ListContainersResponse) -> Scan:
    """Parse the containers of all hosts, and which hosts answered."""
    return Scan(
        tuple(parse_container(item) for item in answer.containers),
        frozenset(scan.host_id for scan in answer.scans if scan.complete),
        tuple(scan.host_id for scan in answer.scans if not scan.complete),
        # A host whose single nodes are missing did answer; it is not silent.
        {scan.host_id: scan.error for scan in answer.scans if not scan.complete and not scan.missing_nodes},
        frozenset(node for scan in answer.scans for node in scan.missing_nodes),
    )


def parse_history(message: metrics_pb2.MetricHistory) -> MetricHistory:
    """Parse measurements."""
    return MetricHistory(
        message.range, message.interval_s, tuple(_parse_sample(sample) for sample in message.samples)
    )


def _parse_sample(sample: metrics_pb2.MetricSample) -> MetricSample:
    values = {field.name: value for field, value in sample.ListFields() if field.name != "time"}
    return MetricSample(sample.time.ToDatetime(UTC), values)


def parse_targets(answer: pb.ListMigrationTargetsResponse) -> MigrationTargets:
    """Parse the nodes that a container may go to."""
    targets = (
        TargetNode(
            node=one.node,
            online=one.online,
            obstacle=one.obstacle,
            warning=one.warning,
            free_memory=one.free_memory,
        )
        for one in answer.targets
    )
    return MigrationTargets(answer.node, tuple(targets))


def parse_inspection(answer: pb.Inspection) -> Inspected:
    """Parse what runs in a container."""
    return Inspected(
        ports=tuple(OpenPort(one.port, one.protocol, one.process, one.http) for one in answer.ports),
        web_port=answer.web_port if answer.HasField("web_port") else None,
        image=answer.image,
        os=answer.os,
        address=answer.ip_address,
    )
