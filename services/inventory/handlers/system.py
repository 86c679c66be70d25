"""RPCs of SystemService, one method each."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from collections.abc import AsyncIterator

from google.protobuf import empty_pb2
from proximity.inventory.v1 import host_pb2, settings_pb2
from proximity.inventory.v1 import inventory_service_pb2 as pb

from services.common.rpc.call import Call
from services.inventory.convert import hosts as convert_hosts
from services.inventory.convert import settings as convert
from services.inventory.domain.interfaces import HealthMonitor, HostStore, SettingsStore, VmidStore
from services.inventory.usecases import settings, system
from services.inventory.usecases.hosts import list_system_nodes


class SystemHandlers:
    """SystemService."""

    def __init__(
        self, monitor: HealthMonitor, store: SettingsStore, *, hosts: HostStore, vmids: VmidStore
    ) -> None:
        self._monitor = monitor
        self._store = store
        self._hosts = hosts
        self._vmids = vmids

    async def get_health(self, _: empty_pb2.Empty, call: Call) -> pb.Health:
        report = await system.get_health(self._monitor)
        # Load balancers look at the status alone.
        call.http_status = convert.render_http_status(report)
        return convert.render_health(report)

    async def get_system_info(self, _: empty_pb2.Empty, _call: Call) -> pb.SystemInfo:
        return convert.render_system_info(await system.get_system_info(self._hosts, self._vmids))

    async def list_system_nodes(self, _: empty_pb2.Empty, _call: Call) -> AsyncIterator[host_pb2.Node]:
        for node in await list_system_nodes(self._hosts):
            yield convert_hosts.render_node(node, with_address=False)

    async def get_resource_settings(self, _: empty_pb2.Empty, _call: Call) -> settings_pb2.ResourceSettings:
        return convert.render_resources(await settings.get_resource_settings(self._store))

    async def update_resource_settings(
        self, request: settings_pb2.UpdateResourceSettingsRequest, _call: Call
    ) -> settings_pb2.ResourceSettings:
        changes = convert.parse_resource_changes(request)
        return convert.render_resources(await settings.update_resource_settings(self._store, changes=changes))

    async def get_network_settings(self, _: empty_pb2.Empty, _call: Call) -> settings_pb2.NetworkSettings:
        return convert.render_network(await settings.get_network_settings(self._store))

    async def update_network_settings(
        self, request: settings_pb2.UpdateNetworkSettingsRequest, _call: Call
    ) -> settings_pb2.NetworkSettings:
        changed = await settings.update_network_settings(
            self._store,
            changes=convert.parse_network_changes(request),
            user_networks=convert.parse_user_networks(request),
        )
        return convert.render_network(changed)

    async def list_networks(
        self, _: empty_pb2.Empty, _call: Call
    ) -> AsyncIterator[settings_pb2.ContainerNetwork]:
        for index, network in enumerate(await settings.list_networks(self._store)):
            yield convert.render_user_network(network, is_default=index == 0)
