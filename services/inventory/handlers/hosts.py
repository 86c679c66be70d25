"""SystemService and HostService, one method per RPC."""
# ruff: noqa: D102, PT019 - RPCs are documented in the proto, once; TestHost is no test

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from google.protobuf import empty_pb2
from google.protobuf.message import Message
from proximity.inventory.v1 import host_pb2, settings_pb2
from proximity.inventory.v1 import inventory_service_pb2 as pb

from services.common import VERSION
from services.common.core.clock import now
from services.common.core.errors import DomainError
from services.common.core.timestamps import render_time
from services.common.rpc.call import Call
from services.common.rpc.responses.cache import VersionedLruCache
from services.common.rpc.responses.rendered import Form, Rendered, render
from services.inventory.convert import hosts as convert
from services.inventory.convert import settings as convert_settings
from services.inventory.domain.entities import Host, Node
from services.inventory.domain.errors import HostUnreachableError
from services.inventory.domain.user_networks import list_networks
from services.inventory.jobs.node_sync import NodeSync, sync_host
from services.inventory.probes import HealthChecks
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.fleet import Fleet
from services.inventory.proxmox.isolation import isolate_host
from services.inventory.proxmox.nodes import describe_age, read_fingerprint, read_version
from services.inventory.proxmox.privileges import list_missing
from services.inventory.proxmox.ways import Ways
from services.inventory.store import SqlHostStore, SqlSettingsStore, SqlVmidStore

T = TypeVar("T", Host, Node)

_RESOURCES = ("default_cpu_cores", "default_memory_mb", "default_disk_gb", "default_swap_mb")
_NETWORK = (
    "default_subnet",
    "default_gateway",
    "default_dns_primary",
    "default_dns_secondary",
    "default_bridge",
)
_TEST_TIMEOUT_S = 25.0  # the gateway waits 30


class SystemHandlers:
    """SystemService."""

    def __init__(
        self, checks: HealthChecks, settings: SqlSettingsStore, *, hosts: SqlHostStore, vmids: SqlVmidStore
    ) -> None:
        self._checks = checks
        self._settings = settings
        self._hosts = hosts
        self._vmids = vmids

    async def get_health(self, _: empty_pb2.Empty, call: Call) -> pb.Health:
        report = await self._checks.check()
        if report.status == "unhealthy":
            call.set_status(503)
        return pb.Health(
            status=report.status,
            database=report.database,
            cache=report.cache,
            messaging=report.messaging,
            services=report.services,
            service="proximity-backend",
            version=VERSION,
            timestamp=render_time(now()),
        )

    async def get_system_info(self, _: empty_pb2.Empty, _call: Call) -> pb.SystemInfo:
        hosts, nodes, apps = await asyncio.gather(
            self._hosts.list_hosts(), self._hosts.list_nodes(), self._vmids.count()
        )
        return pb.SystemInfo(
            version=VERSION,
            default_theme="dark",
            enable_multi_host=True,
            host_count=len(hosts),
            node_count=len(nodes),
            app_count=apps,
        )

    async def list_system_nodes(self, _: empty_pb2.Empty, _call: Call) -> AsyncIterator[host_pb2.Node]:
        for node in await self._hosts.list_nodes():
            yield convert.render_node(node, with_address=False)

    async def get_resource_settings(self, _: empty_pb2.Empty, _call: Call) -> settings_pb2.ResourceSettings:
        return convert_settings.render_resources(*await self._settings.get_resources())

    async def update_resource_settings(
        self, request: settings_pb2.UpdateResourceSettingsRequest, _call: Call
    ) -> settings_pb2.ResourceSettings:
        changes = convert.parse_changes(request, _RESOURCES)
        return convert_settings.render_resources(*await self._settings.change_resources(changes))

    async def get_network_settings(self, _: empty_pb2.Empty, _call: Call) -> settings_pb2.NetworkSettings:
        return await self._show_network()

    async def update_network_settings(
        self, request: settings_pb2.UpdateNetworkSettingsRequest, _call: Call
    ) -> settings_pb2.NetworkSettings:
        changes = convert.parse_changes(request, _NETWORK)
        await self._settings.change_network(
            changes, user_networks=convert_settings.parse_user_networks(request)
        )
        return await self._show_network()

    async def _show_network(self) -> settings_pb2.NetworkSettings:
        networks = await self._settings.list_user_networks()
        return convert_settings.render_network(*await self._settings.get_network(), networks)

    async def list_networks(
        self, _: empty_pb2.Empty, _call: Call
    ) -> AsyncIterator[settings_pb2.ContainerNetwork]:
        default, _changed_at = await self._settings.get_network()
        for index, network in enumerate(list_networks(default, await self._settings.list_user_networks())):
            yield convert_settings.render_user_network(network, is_default=index == 0)


class HostHandlers:
    """HostService."""

    def __init__(self, store: SqlHostStore, fleet: Fleet, sync: NodeSync, ways: Ways) -> None:
        self._store = store
        self._fleet = fleet
        self._sync = sync
        self._ways = ways
        self._kept = VersionedLruCache[tuple[type, int, Form]]()

    async def list_hosts(self, _: empty_pb2.Empty, call: Call) -> AsyncIterator[Rendered[host_pb2.Host]]:
        for host in await self._store.list_hosts():
            yield Rendered(host_pb2.Host, self._show(host, convert.render_host, call=call))

    async def create_host(self, request: pb.CreateHostRequest, call: Call) -> host_pb2.Host:
        host = await self._store.add_host(convert.parse_new_host(request), request_id=call.request_id)
        self._sync.wake()
        return convert.render_host(host)

    async def get_host(self, request: pb.GetHostRequest, _call: Call) -> host_pb2.Host:
        return convert.render_host(await self._store.get_host(request.id))

    async def update_host(self, request: pb.UpdateHostRequest, _call: Call) -> host_pb2.Host:
        host = await self._store.update_host(request.id, convert.parse_host_changes(request))
        self._sync.wake()
        return convert.render_host(host)

    async def delete_host(self, request: pb.DeleteHostRequest, _call: Call) -> empty_pb2.Empty:
        await self._store.delete_host(request.id)
        self._fleet.forget(request.id)
        return empty_pb2.Empty()

    async def test_host(self, request: pb.TestHostRequest, _call: Call) -> pb.TestHostResponse:
        host = await self._store.get_host(request.id)
        try:
            client = ProxmoxClient(await self._fleet.open_access(host), threads=2)
        except HostUnreachableError as error:
            return pb.TestHostResponse(message=error.message, exec_mode=host.exec_mode)
        try:
            return await _try_host(host, client, self._ways)
        finally:
            client.close()

    async def sync_host_nodes(
        self, request: pb.SyncHostNodesRequest, _call: Call
    ) -> pb.SyncHostNodesResponse:
        host = await self._store.get_host(request.id)
        count = await sync_host(self._store, self._fleet, self._ways, host=host)
        return pb.SyncHostNodesResponse(success=True, message=f"Synced {count} nodes", nodes=count)

    async def list_nodes(
        self, request: pb.ListNodesRequest, call: Call
    ) -> AsyncIterator[Rendered[host_pb2.Node]]:
        host_id = request.host_id if request.HasField("host_id") else None
        for node in await self._store.list_nodes(host_id):
            yield Rendered(host_pb2.Node, self._show(node, convert.render_node, call=call))

    def _show(self, item: T, render_item: Callable[[T], Message], *, call: Call) -> bytes:
        """A host or a node, rendered once for each of its states."""
        key = (type(item), item.id, call.form)
        kept = self._kept.find(key, item)
        return kept or self._kept.keep(key, item, render(render_item(item), call.form))


async def _try_host(host: Host, client: ProxmoxClient, ways: Ways) -> pb.TestHostResponse:
    answer = pb.TestHostResponse(exec_mode=host.exec_mode)
    try:
        async with isolate_host(host, timeout_s=_TEST_TIMEOUT_S):
            answer.fingerprint = await read_fingerprint(host.host, host.port)
            await client.get("/version")
            began = time.perf_counter()
            version = await read_version(client)
            answer.latency_ms = round((time.perf_counter() - began) * 1000, 3)
            answer.missing_privileges.extend(await list_missing(client))
            way = await ways.find_way(client, again=True)
    except DomainError as error:
        answer.message = error.message
        return answer
    answer.success, answer.version, answer.exec_mode = True, version, way.mode
    answer.message = f"Connected to Proxmox VE {version}"
    if warning := describe_age(version):
        answer.message += f"; warning: {warning}"
    if way.reason:
        answer.message += f"; commands get into containers by {way.mode}: {way.reason}"
    if answer.missing_privileges:
        answer.message += f"; missing privileges: {', '.join(answer.missing_privileges)}"
    return answer
