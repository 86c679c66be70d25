"""protobuf of archives and of restores as new containers <-> values."""

from __future__ import annotations

from datetime import UTC

from proximity.inventory.v1 import archive_plan_pb2 as pb
from proximity.inventory.v1 import container_service_pb2 as cs
from proximity.inventory.v1 import restore_plan_pb2 as plan_pb

from services.clients.inventory.archive_values import (
    Archive,
    ArchiveListing,
    BackupStorage,
    NewArchive,
    NewNetwork,
)
from services.clients.inventory.convert import render_ref
from services.clients.inventory.restore_plans import ArchivedContainer, RestorePlacement
from services.clients.inventory.values import Ref


def render_network(network: NewNetwork) -> pb.RestoredNetwork:
    """Render the network device of a container."""
    return pb.RestoredNetwork(
        bridge=network.bridge,
        network_cidr=network.network_cidr,
        gateway=network.gateway,
        # 0 means untagged here; on the wire it is the absent field, since 0 is no VLAN.
        vlan=network.vlan or None,
        nameservers=network.nameservers,
        oci=network.oci,
    )


def parse_restore_plan(plan: plan_pb.RestorePlan) -> RestorePlacement:
    """Parse where an archive can be restored."""
    archived = plan.archived
    return RestorePlacement(
        host_id=plan.host_id,
        host_name=plan.host_name,
        node=plan.node,
        archive=plan.archive,
        storage=plan.storage,
        required=plan.required,
        free=plan.free,
        volumes=tuple(plan.disks),
        networks=tuple(plan.networks),
        warnings=tuple(plan.warnings),
        obstacles=tuple(plan.obstacles),
        archived=ArchivedContainer(
            size=int(archived.size),
            created_at=archived.created_at.ToDatetime(UTC) if archived.HasField("created_at") else None,
            vmid=archived.vmid,
            owner=archived.owner,
            hostname=archived.hostname,
            architecture=archived.architecture,
            disk_gb=archived.disk_gb,
            required=archived.required,
            omitted=tuple(archived.omitted),
        ),
    )


def render_archive(ref: Ref, owner: str, *, new: NewArchive) -> cs.BackupContainerRequest:
    """Render the archive to make."""
    return cs.BackupContainerRequest(
        container=render_ref(ref),
        owner=owner,
        mode=new.mode,
        compression=new.compression,
        storage=new.storage,
        notes=new.notes,
        backup_id=new.backup_id,
    )


def parse_archives(answer: cs.ListArchivesResponse) -> ArchiveListing:
    """Parse the archives of a container."""
    return ArchiveListing(
        tuple(
            Archive(
                one.volume_id,
                one.storage,
                one.file_name,
                int(one.size),
                one.notes,
                verification=one.verification,
                encrypted=one.encrypted,
                vmid=one.vmid,
                created_at=one.created_at.ToDatetime(UTC) if one.HasField("created_at") else None,
                protected=one.protected,
            )
            for one in answer.archives
        ),
        answer.complete,
    )


def parse_storages(answer: cs.ListBackupStoragesResponse) -> list[BackupStorage]:
    """Parse the storages of a host."""
    return [
        BackupStorage(
            name=one.name,
            node=one.node,
            shared=one.shared,
            takes_backups=one.takes_backups,
            available=one.available,
            total=one.total,
            used=one.used,
            max_archives=one.max_archives,
        )
        for one in answer.storages
    ]
