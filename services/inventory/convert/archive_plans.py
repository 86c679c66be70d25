"""Protobuf <-> domain: restores of archives as new containers."""

from __future__ import annotations

from datetime import UTC, datetime

from proximity.inventory.v1 import archive_plan_pb2 as pb
from proximity.inventory.v1 import container_service_pb2 as cs

from services.common.rpc.responses.rendered import render_time
from services.inventory.domain.archive_plans import ArchivePlan
from services.inventory.domain.container_spec import RestoredNetwork


def parse_restored_network(request: cs.RestoreContainerRequest) -> RestoredNetwork | None:
    """Parse the network device of the container; None: those of the archive."""
    if not request.HasField("network"):
        return None
    network = request.network
    return RestoredNetwork(
        bridge=network.bridge,
        network_cidr=network.network_cidr,
        gateway=network.gateway,
        vlan_tag=network.vlan if network.HasField("vlan") else None,
        nameservers=tuple(network.nameservers),
        oci=network.oci,
    )


def render_archive_plan(plan: ArchivePlan) -> pb.ArchiveRestorePlan:
    """Render where an archive can be restored, and what it is of."""
    return pb.ArchiveRestorePlan(
        node=plan.node,
        storage=plan.storage,
        size=plan.size,
        created_at=render_time(datetime.fromtimestamp(plan.created_at, UTC)),
        protected=plan.protected,
        vmid=plan.vmid,
        owner=plan.owner,
        hostname=plan.hostname,
        architecture=plan.architecture,
        disk_gb=plan.disk_gb,
        required=plan.required,
        omitted=plan.omitted,
    )
