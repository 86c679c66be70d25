"""Protobuf -> domain: networks of containers that are made of archives."""

from __future__ import annotations

from proximity.inventory.v1 import container_service_pb2 as cs

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
