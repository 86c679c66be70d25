"""Protobuf <-> domain: defaults of deployments, networks that users may choose, and the platform as a whole."""

from __future__ import annotations

from google.protobuf import json_format
from proximity.inventory.v1 import container_service_pb2 as cs
from proximity.inventory.v1 import inventory_service_pb2 as pb
from proximity.inventory.v1 import settings_pb2

from services.clients.auth.values import DEFAULT_THEME
from services.common import VERSION
from services.common.core.clock import now
from services.common.rpc.handlers import parse_patch
from services.common.rpc.responses.rendered import render_time
from services.inventory.domain.health import HealthReport
from services.inventory.domain.patches import DefaultResourceChanges, NetworkChanges
from services.inventory.domain.user_networks import NetworkRequest, UserNetwork, parse_networks
from services.inventory.usecases.settings import NetworkDefaults, ResourceDefaults
from services.inventory.usecases.system import SystemInfo


def parse_resource_changes(request: settings_pb2.UpdateResourceSettingsRequest) -> DefaultResourceChanges:
    """Parse the default resources that a request changes."""
    return parse_patch(request, DefaultResourceChanges)


def render_resources(defaults: ResourceDefaults) -> settings_pb2.ResourceSettings:
    """Render the default resources."""
    return settings_pb2.ResourceSettings(
        **vars(defaults.resources), updated_at=render_time(defaults.updated_at)
    )


def parse_network_request(request: cs.PlaceContainerRequest) -> NetworkRequest:
    """Parse the network that a deployment requests."""
    return NetworkRequest(
        bridge=request.bridge,
        vlan=request.vlan,
        cidr=request.network_cidr,
        is_restricted=request.restricted,
    )


def parse_user_networks(request: settings_pb2.UpdateNetworkSettingsRequest) -> list[UserNetwork] | None:
    """Parse the networks that users may choose; None when the request does not change them.

    Raises:
        InvalidError: an entry is wrong.
    """
    if not request.HasField("user_networks"):
        return None
    return list(parse_networks(json_format.MessageToDict(request.user_networks)))


def render_user_network(network: UserNetwork, *, is_default: bool = False) -> settings_pb2.ContainerNetwork:
    """Render a network that users may choose."""
    return settings_pb2.ContainerNetwork(
        bridge=network.bridge,
        vlan=network.vlan or None,
        subnet=network.subnet or None,
        gateway=network.gateway or None,
        is_default=is_default,
    )


def parse_network_changes(request: settings_pb2.UpdateNetworkSettingsRequest) -> NetworkChanges:
    """Parse the attributes of the default network that a request changes."""
    return parse_patch(request, NetworkChanges)


def render_network(defaults: NetworkDefaults) -> settings_pb2.NetworkSettings:
    """Render the default network, and those that users may choose besides."""
    network = defaults.network
    return settings_pb2.NetworkSettings(
        **{**vars(network), "default_dns_secondary": network.default_dns_secondary or None},
        updated_at=render_time(defaults.updated_at),
        user_networks=[render_user_network(each) for each in defaults.user_networks],
    )


def render_defaults(resources: ResourceDefaults, network: NetworkDefaults) -> cs.DeploymentDefaults:
    """Render the defaults of deployments."""
    return cs.DeploymentDefaults(resources=render_resources(resources), network=render_network(network))


def render_health(report: HealthReport) -> pb.Health:
    """Render the condition of the platform."""
    return pb.Health(
        **vars(report),
        status=report.status,
        service="proximity-backend",
        version=VERSION,
        timestamp=render_time(now()),
    )


def render_http_status(report: HealthReport) -> int | None:
    """Return the HTTP status of a health report: 503 tells load balancers to use another replica; None for 200."""
    return 503 if report.status == "unhealthy" else None


def render_system_info(info: SystemInfo) -> pb.SystemInfo:
    """Render what the start page shows of the platform."""
    return pb.SystemInfo(version=VERSION, default_theme=DEFAULT_THEME, enable_multi_host=True, **vars(info))
