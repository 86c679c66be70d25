"""RPCs of HostService, one method each."""
# ruff: noqa: D102, PT019 - RPCs are documented in the proto, once; TestHost is no test

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from google.protobuf import empty_pb2
from google.protobuf.message import Message
from proximity.common.v1 import metrics_pb2
from proximity.inventory.v1 import host_pb2
from proximity.inventory.v1 import inventory_service_pb2 as pb

from services.common.rpc.call import Call
from services.common.rpc.responses.rendered import Form, Rendered, VersionedLruCache, render
from services.inventory.convert import hosts as convert
from services.inventory.convert.metrics import render_history
from services.inventory.domain.entities import DEFAULT_PORT, Host, Node
from services.inventory.domain.interfaces import (
    ContainerAccess,
    HostStore,
    NodeSyncTrigger,
    ProxmoxFleet,
)
from services.inventory.domain.metrics import DEFAULT_RANGE
from services.inventory.usecases import hosts, metrics
from services.inventory.usecases.storages import list_storages
from services.inventory.usecases.test_new_host import test_new_host

T = TypeVar("T", Host, Node)


class HostHandlers:
    """HostService."""

    def __init__(
        self, store: HostStore, fleet: ProxmoxFleet, *, sync: NodeSyncTrigger, access: ContainerAccess
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._sync = sync
        self._access = access
        # Pages of hosts and nodes are read every few seconds by each open browser, and change every half minute.
        self._rendered = VersionedLruCache[tuple[type, int, Form]]()

    async def list_hosts(self, _: empty_pb2.Empty, call: Call) -> AsyncIterator[Rendered[host_pb2.Host]]:
        for host in await hosts.list_hosts(self._store):
            yield Rendered(host_pb2.Host, self._render(host, convert.render_host, call=call))

    async def create_host(self, request: pb.CreateHostRequest, call: Call) -> host_pb2.Host:
        new = convert.parse_new_host(request)
        host = await hosts.create_host(self._store, self._sync, new=new, request_id=call.request_id)
        return convert.render_host(host)

    async def get_host(self, request: pb.GetHostRequest, _call: Call) -> host_pb2.Host:
        return convert.render_host(await hosts.get_host(self._store, request.id))

    async def update_host(self, request: pb.UpdateHostRequest, _call: Call) -> host_pb2.Host:
        changes = convert.parse_host_changes(request)
        host = await hosts.update_host(self._store, self._sync, host_id=request.id, changes=changes)
        return convert.render_host(host)

    async def delete_host(self, request: pb.DeleteHostRequest, _call: Call) -> empty_pb2.Empty:
        await hosts.delete_host(self._store, self._fleet, host_id=request.id)
        return empty_pb2.Empty()

    async def test_host(self, request: pb.TestHostRequest, _call: Call) -> pb.TestHostResponse:
        outcome = await hosts.test_host(self._store, self._fleet, access=self._access, host_id=request.id)
        return convert.render_host_test(outcome)

    async def test_new_host(self, request: pb.TestNewHostRequest, call: Call) -> pb.TestHostResponse:
        call.audit_target = f"{request.host}:{request.port or DEFAULT_PORT}"
        return convert.render_host_test(await test_new_host(self._fleet, new=convert.parse_trial(request)))

    async def sync_host_nodes(
        self, request: pb.SyncHostNodesRequest, _call: Call
    ) -> pb.SyncHostNodesResponse:
        count = await hosts.sync_host_nodes(self._store, self._fleet, access=self._access, host_id=request.id)
        return pb.SyncHostNodesResponse(success=True, message=f"Synced {count} nodes", nodes=count)

    async def list_nodes(
        self, request: pb.ListNodesRequest, call: Call
    ) -> AsyncIterator[Rendered[host_pb2.Node]]:
        for node in await hosts.list_nodes(self._store, host_id=convert.parse_host_id(request)):
            yield Rendered(host_pb2.Node, self._render(node, convert.render_node, call=call))

    async def get_node_metrics(
        self, request: pb.GetNodeMetricsRequest, _call: Call
    ) -> metrics_pb2.MetricHistory:
        history = await metrics.get_node_metrics(
            self._store, self._fleet, node_id=request.id, timeframe=request.range or DEFAULT_RANGE
        )
        return render_history(history)

    async def list_storages(
        self, request: pb.ListStoragesRequest, _call: Call
    ) -> AsyncIterator[host_pb2.Storage]:
        found = await list_storages(
            self._store, self._fleet, host_id=convert.parse_host_id(request), content=request.content
        )
        for host, storage in found:
            yield convert.render_storage(host, storage)

    def _render(self, item: T, render_item: Callable[[T], Message], *, call: Call) -> bytes:
        """Return the bytes of a host or a node, rendered once for each of its states."""
        key = (type(item), item.id, call.form)
        rendered = self._rendered.find(key, item)
        return rendered or self._rendered.keep(key, item, value=render(render_item(item), call.form))
