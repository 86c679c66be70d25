"""GET /cluster/resources: everything in one call."""

from typing import Any

from tests.pvesim.api.machines import render_machine
from tests.pvesim.api.nodes import measure_node
from tests.pvesim.api.storages import may_see
from tests.pvesim.model.entities import Node, Storage
from tests.pvesim.model.permissions import may
from tests.pvesim.model.reading import render_resource
from tests.pvesim.model.router import Call, route
from tests.pvesim.model.totals import count_used


@route("GET", "/cluster/resources")
def list_resources(call: Call) -> list[dict[str, Any]]:
    kind = call.get("type")
    found: list[dict[str, Any]] = []
    if kind in {None, "vm"}:
        found += _list_guests(call)
    if kind in {None, "node"}:
        found += [_render_node(call, one) for one in call.cluster.nodes.values() if one.joined]
    if kind in {None, "storage"}:
        found += _list_storages(call)
    if kind in {None, "sdn"}:
        found += _list_networks(call)
    return found


def _list_guests(call: Call) -> list[dict[str, Any]]:
    cluster = call.cluster
    pools = {vmid: pool.poolid for pool in cluster.pools.values() for vmid in pool.vms}
    entries = []
    for one in cluster.containers.values():
        if may(cluster, call.user, f"/vms/{one.vmid}", "VM.Audit"):
            entry = render_resource(cluster, one)
            if one.vmid in pools:
                entry["pool"] = pools[one.vmid]
            entries.append(entry)
    for machine in cluster.machines.values():
        if may(cluster, call.user, f"/vms/{machine.vmid}", "VM.Audit"):
            identity = {
                "id": f"qemu/{machine.vmid}",
                "type": "qemu",
                "node": machine.node,
                "template": 0,
                "maxcpu": 1,
            }
            entries.append({**render_machine(machine), **identity})
    return entries


def _render_node(call: Call, node: Node) -> dict[str, Any]:
    entry: dict[str, Any] = {"node": node.name, "id": f"node/{node.name}", "type": "node", "level": ""}
    entry["status"] = "online" if node.online else "offline"
    entry["cgroup-mode"] = call.cluster.cgroup_mode
    if node.online and may(call.cluster, call.user, f"/nodes/{node.name}", "Sys.Audit"):
        entry.update(measure_node(call.cluster, node))
    return entry


def _list_storages(call: Call) -> list[dict[str, Any]]:
    return [
        _render_storage(call, storage, node)
        for node in call.cluster.nodes.values()
        if node.joined
        for storage in call.cluster.storages.values()
        if storage.enabled
        and (not storage.nodes or node.name in storage.nodes)
        and may_see(call, storage.name)
    ]


def _render_storage(call: Call, storage: Storage, node: Node) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": f"storage/{node.name}/{storage.name}",
        "type": "storage",
        "storage": storage.name,
        "node": node.name,
        "plugintype": storage.type,
        "content": ",".join(storage.content),
        "shared": int(storage.shared),
        "status": "available" if node.online else "unknown",
    }
    if node.online:
        entry.update(disk=count_used(call.cluster, storage, node.name), maxdisk=storage.total)
    return entry


def _list_networks(call: Call) -> list[dict[str, Any]]:
    if not may(call.cluster, call.user, "/sdn/zones/localnetwork", "SDN.Audit", "SDN.Use", any_of=True):
        return []
    return [
        {"id": f"network/{one.name}/zone/localnetwork", "type": "network", "network": "localnetwork",
         "network-type": "zone", "node": one.name, "status": "ok"}
        for one in call.cluster.nodes.values() if one.joined and one.online
    ]  # fmt: skip
