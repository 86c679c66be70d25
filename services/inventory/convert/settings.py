"""Protobuf <-> domain: the settings of deployments, and the networks that users may choose."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from google.protobuf import json_format
from proximity.inventory.v1 import container_service_pb2 as cs
from proximity.inventory.v1 import settings_pb2

from services.common.core.timestamps import render_time
from services.inventory.domain.entities import DefaultResources, Network
from services.inventory.domain.user_networks import NetworkWish, UserNetwork, parse_networks


def render_resources(resources: DefaultResources, updated_at: datetime) -> settings_pb2.ResourceSettings:
    """The default resources."""
    return settings_pb2.ResourceSettings(**vars(resources), updated_at=render_time(updated_at))


def parse_network_wish(request: cs.PlaceContainerRequest) -> NetworkWish:
    """What a deployment asks of its network."""
    return NetworkWish(
        bridge=request.bridge,
        vlan=request.vlan,
        cidr=request.network_cidr,
        is_restricted=request.restricted,
    )


def parse_user_networks(request: settings_pb2.UpdateNetworkSettingsRequest) -> list[UserNetwork] | None:
    """What users may choose; None when the request leaves that as it is.

    Raises:
        InvalidError: an entry is wrong.
    """
    if not request.HasField("user_networks"):
        return None
    return list(parse_networks(json_format.MessageToDict(request.user_networks)))


def render_user_network(network: UserNetwork, *, is_default: bool = False) -> settings_pb2.ContainerNetwork:
    """A network that users may choose."""
    return settings_pb2.ContainerNetwork(
        bridge=network.bridge,
        vlan=network.vlan or None,
        subnet=network.subnet or None,
        gateway=network.gateway or None,
        is_default=is_default,
    )


def render_network(
    network: Network, updated_at: datetime, user_networks: Sequence[UserNetwork] = ()
) -> settings_pb2.NetworkSettings:
    """The default network, and what users may choose besides."""
    values = {**vars(network), "default_dns_secondary": network.default_dns_secondary or None}
    others = [render_user_network(each) for each in user_networks]
    return settings_pb2.NetworkSettings(**values, updated_at=render_time(updated_at), user_networks=others)
