"""protobuf of restores as new containers <-> values."""

from __future__ import annotations

from datetime import UTC

from proximity.inventory.v1 import archive_plan_pb2 as pb

from services.clients.inventory.archive_values import NewNetwork, PlannedRestore


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


def parse_planned_restore(plan: pb.ArchiveRestorePlan) -> PlannedRestore:
    """Parse where an archive can be restored."""
    return PlannedRestore(
        node=plan.node,
        storage=plan.storage,
        size=int(plan.size),
        created_at=plan.created_at.ToDatetime(UTC) if plan.HasField("created_at") else None,
        protected=plan.protected,
        vmid=plan.vmid,
        owner=plan.owner,
        hostname=plan.hostname,
        architecture=plan.architecture,
        disk_gb=plan.disk_gb,
        required=plan.required,
        omitted=tuple(plan.omitted),
    )
