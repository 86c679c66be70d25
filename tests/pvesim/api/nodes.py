"""Nodes: list, status, networks, time, and the cluster as a whole."""

from typing import Any

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.entities import Node
from tests.pvesim.model.errors import bad_params, refuse
from tests.pvesim.model.permissions import check, may
from tests.pvesim.model.router import Call, route
from tests.pvesim.model.totals import get_totals

KERNEL = "6.17.2-1-pve"


def count_memory(cluster: Cluster, node: Node) -> int:
    """Bytes in use on a node: its own and its containers'."""
    return min(node.memory, node.memory_used + get_totals(cluster).memory.get(node.name, 0))


def count_uptime(cluster: Cluster, node: Node) -> int:
    """Seconds since a node came up."""
    return max(1, int(cluster.now()) - node.boot_time)


def count_load(node: Node) -> float:
    """A node's CPU use, the same at every look."""
    return round(0.03 + (sum(node.name.encode()) % 30) / 400, 6)


@route("GET", "/version")
def get_version(call: Call) -> dict[str, str]:
    return render_version(call.cluster)


def render_version(cluster: Cluster) -> dict[str, str]:
    """The version as every node tells it."""
    version = cluster.version
    return {"version": version, "release": ".".join(version.split(".")[:2]), "repoid": "14a22df3realcheck"}


@route("GET", "/nodes/{node}/version")
def get_node_version(call: Call) -> dict[str, str]:
    return render_version(call.cluster)


@route("GET", "/nodes")
def list_nodes(call: Call) -> list[dict[str, Any]]:
    return [_render_node(call, node) for node in call.cluster.nodes.values() if node.joined]


def _render_node(call: Call, node: Node) -> dict[str, Any]:
    entry: dict[str, Any] = {"node": node.name, "id": f"node/{node.name}", "type": "node", "level": ""}
    entry["status"] = "online" if node.online else "offline"
    if node.fingerprint:
        entry["ssl_fingerprint"] = node.fingerprint
    if node.online and may(call.cluster, call.user, f"/nodes/{node.name}", "Sys.Audit"):
        entry.update(measure_node(call.cluster, node))
    return entry


def measure_node(cluster: Cluster, node: Node) -> dict[str, Any]:
    """Measure what a node has and uses, as lists of nodes show it."""
    return {
        "cpu": count_load(node),
        "maxcpu": node.cpus,
        "mem": count_memory(cluster, node),
        "maxmem": node.memory,
        "disk": node.disk // 8,
        "maxdisk": node.disk,
        "uptime": count_uptime(cluster, node),
    }


@route("GET", "/nodes/{node}/status")
def get_node(call: Call) -> dict[str, Any]:
    node = call.cluster.nodes[call.node]
    used = count_memory(call.cluster, node)
    return {
        "uptime": count_uptime(call.cluster, node),
        "cpu": count_load(node),
        "wait": 0.001,
        "idle": 0,
        "loadavg": ["0.12", "0.08", "0.05"],
        "kversion": f"Linux {KERNEL} #1 SMP PREEMPT_DYNAMIC",
        "pveversion": f"pve-manager/{call.cluster.version}/14a22df3realcheck",
        "memory": {"total": node.memory, "used": used, "free": node.memory - used, "available": node.memory - used},
        "swap": {"total": 0, "used": 0, "free": 0},
        "rootfs": {"total": node.disk, "used": node.disk // 8, "free": node.disk * 7 // 8, "avail": node.disk * 7 // 8},
        "ksm": {"shared": 0},
        "cpuinfo": {"cpus": node.cpus, "cores": node.cpus, "sockets": 1, "model": "Simulated CPU", "mhz": "2400.000",
                    "flags": "fpu", "hvm": "1", "user_hz": 100},
        "boot-info": {"mode": "efi", "secureboot": 0},
        "current-kernel": {"sysname": "Linux", "release": KERNEL, "version": "#1 SMP", "machine": node.machine},
    }  # fmt: skip


@route("GET", "/nodes/{node}/network")
def list_networks(call: Call) -> list[dict[str, Any]]:
    node = call.cluster.nodes[call.node]
    card = {"iface": "eno1", "type": "eth", "active": 1, "exists": 1, "method": "manual", "method6": "manual",
            "priority": 3, "families": ["inet"]}  # fmt: skip
    kind = call.get("type")
    if kind in {"any_bridge", "any_local_bridge", "include_sdn"}:
        kind = "bridge"
    found = [card, *(_render_bridge(name, number) for number, name in enumerate(node.bridges))]
    visible = [one for one in found if kind is None or one["type"] == kind]
    if may(call.cluster, call.user, f"/nodes/{call.node}", "Sys.Audit"):
        return visible
    return [
        one
        for one in visible
        if may(
            call.cluster,
            call.user,
            f"/sdn/zones/localnetwork/{one['iface']}",
            "SDN.Audit",
            "SDN.Use",
            any_of=True,
        )
    ]


def _render_bridge(name: str, number: int) -> dict[str, Any]:
    address = f"192.168.{number}.10"
    return {
        "iface": name, "type": "bridge", "active": 1, "autostart": 1, "method": "static", "method6": "manual",
        "address": address, "netmask": "24", "cidr": f"{address}/24", "bridge_ports": "eno1" if not number else "",
        "bridge_stp": "off", "bridge_fd": "0", "priority": 4 + number, "families": ["inet"],
        **({"gateway": "192.168.0.1"} if not number else {}),
    }  # fmt: skip


@route("GET", "/nodes/{node}/time")
def get_time(call: Call) -> dict[str, Any]:
    now = int(call.cluster.now())
    return {"time": now, "localtime": now, "timezone": "Etc/UTC"}


@route("GET", "/nodes/{node}/dns")
def get_dns(call: Call) -> dict[str, str]:
    return {"dns1": "10.255.255.53"}


@route("GET", "/nodes/{node}/subscription")
def get_subscription(call: Call) -> dict[str, Any]:
    return {
        "status": "notfound",
        "message": "There is no subscription key",
        "serverid": None,
        "url": "https://www.proxmox.com/en/proxmox-virtual-environment/pricing",
    }


@route("GET", "/nodes/{node}/rrddata")
def get_measurements(call: Call) -> list[dict[str, Any]]:
    from tests.pvesim.api.reading import STEPS

    cluster, node = call.cluster, call.cluster.nodes[call.node]
    step = STEPS[str(call.params["timeframe"])]
    end = int(cluster.now()) // step * step
    times = (end - step * back for back in range(58, -1, -1))
    return [{"time": at, **(_measure(cluster, node) if at >= node.boot_time else {})} for at in times]


def _measure(cluster: Cluster, node: Node) -> dict[str, Any]:
    used = count_memory(cluster, node)
    zero = dict.fromkeys(("netin", "netout", "swapused", "swaptotal", "arcsize"), 0)
    pressures = {f"pressure{name}": 0 for name in ("cpusome", "iosome", "iofull", "memorysome", "memoryfull")}
    return {
        **zero, **pressures, "cpu": count_load(node), "maxcpu": node.cpus, "loadavg": 0.12, "iowait": 0.001,
        "memused": used, "memtotal": node.memory, "memavailable": node.memory - used,
        "rootused": node.disk // 8, "roottotal": node.disk,
    }  # fmt: skip


@route("GET", "/cluster/status")
def get_cluster(call: Call) -> list[dict[str, Any]]:
    nodes = [one for one in call.cluster.nodes.values() if one.joined]
    entries = [
        {"type": "node", "id": f"node/{one.name}", "name": one.name, "nodeid": number, "online": int(one.online),
         "local": int(number == 1), "ip": one.address, "level": ""}
        for number, one in enumerate(nodes, 1)
    ]  # fmt: skip
    if len(nodes) < 2:
        return [{**entries[0], "nodeid": 0}]
    online = sum(one.online for one in nodes)
    head = {"type": "cluster", "id": "cluster", "name": call.cluster.name, "nodes": len(nodes), "version": 1,
            "quorate": int(online * 2 > len(nodes))}  # fmt: skip
    return [head, *entries]


@route("GET", "/cluster/options")
def get_options(call: Call) -> dict[str, Any]:
    tags = {
        tag
        for one in call.cluster.containers.values()
        for tag in str(one.config.get("tags", "")).split(";")
        if tag
    }
    shown = {key: value for key, value in call.cluster.options.items() if not key.startswith("_")}
    found: dict[str, Any] = {"description": "", "mac_prefix": "BC:24:11", **shown}
    return {**found, "allowed-tags": sorted(tags)}


@route("GET", "/cluster/nextid")
def get_next_id(call: Call) -> str:
    vmid = call.get("vmid")
    if vmid is None:
        return str(call.cluster.find_free_vmid())
    if int(vmid) in call.cluster.containers or str(vmid) in call.cluster.machines:
        raise bad_params({"vmid": f"VM {vmid} already exists"})
    return str(vmid)


@route("GET", "/cluster/backup")
def list_jobs(call: Call) -> list[dict[str, Any]]:
    return list(call.cluster.options.get("_jobs", []))


@route("POST", "/cluster/backup")
def create_job(call: Call) -> None:
    if any("jobs" in node.missing for node in call.cluster.nodes.values()):
        path = "/var/lib/pve-manager/jobs/vzdump-54e40513-be3e-49d3-ad02-d14ab4b98b17.json.tmp.5993"
        raise refuse(f"unable to open file '{path}' - No such file or directory")
    check(call.cluster, call.user, "/", "Sys.Modify")
    number = len(call.cluster.options.get("_jobs", []))
    job = {"id": call.get("id", f"backup-{number:08x}"), "type": "vzdump", "enabled": 1, **call.params}
    call.cluster.options.setdefault("_jobs", []).append(job)
    call.cluster.touch("settings", "options")


@route("GET", "/cluster/backup-info/not-backed-up")
def list_unprotected(call: Call) -> list[dict[str, Any]]:
    return [
        {"vmid": one.vmid, "name": one.config.get("hostname", ""), "type": "lxc"}
        for one in call.cluster.containers.values()
    ]
