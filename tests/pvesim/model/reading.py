"""Containers as lists and statuses show them."""

import hashlib
from typing import Any

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.configs import get_disk_size, list_networks
from tests.pvesim.model.entities import Container

MIB = 1 << 20
INODES_SHARE = 0.0186
"""Share of an ext4 file system that its inodes and bitmaps take: `maxdisk` of a running container lacks it."""
JOURNAL = 64 * MIB


def get_name(container: Container) -> str:
    """The hostname, or `CT<id>` while there is none."""
    return str(container.config.get("hostname") or f"CT{container.vmid}")


def measure(cluster: Cluster, container: Container) -> dict[str, Any]:
    """Live numbers: zero when stopped, deterministic when running."""
    numbers: dict[str, Any] = dict.fromkeys(
        ("cpu", "mem", "disk", "netin", "netout", "diskread", "diskwrite"), 0
    )
    numbers["uptime"] = 0
    if not container.running:
        return numbers
    uptime = max(0, int(cluster.now() - container.started_at))
    seed = (container.vmid * 2654435761) % 1000
    numbers.update(
        cpu=round((seed % 97 - 3) / 4000, 6),  # a little less than 0 for some idle ones, as on a real server
        mem=measure_memory(container),
        disk=int(measure_disk(cluster, container) * (0.05 + seed / 5000)),
        netin=uptime * (200 + seed),
        netout=uptime * (100 + seed),
        diskread=4096 * (seed + uptime // 60),
        diskwrite=4096 * (seed // 2 + uptime // 60),
        uptime=uptime,
    )
    return numbers


def measure_disk(cluster: Cluster, container: Container) -> int:
    """Bytes of the root disk: the volume's of a stopped container, the file system's of a running one."""
    size = get_disk_size(container.config)
    if not container.running:
        return size
    volid = str(container.config.get("rootfs", "")).partition(",")[0]
    volume = cluster.find_volume(volid, container.node)
    reach = volume.filesystem if volume and volume.filesystem else size
    return reach - int(reach * INODES_SHARE) - min(JOURNAL, reach // 16)


def measure_memory(container: Container) -> int:
    """Bytes of memory that a container uses."""
    if not container.running:
        return 0
    seed = (container.vmid * 2654435761) % 1000
    return int(int(container.config.get("memory", 512)) * MIB * (0.05 + seed / 2500))


def render_optional(container: Container) -> dict[str, Any]:
    """What appears only when it is set."""
    found: dict[str, Any] = {}
    if container.config.get("tags"):
        found["tags"] = container.config["tags"]
    if container.lock:
        found["lock"] = container.lock
    return found


def render_ha(container: Container) -> dict[str, Any]:
    """What `/cluster/resources` adds for what the HA manager looks after."""
    if container.ha_seconds is None:
        return {}
    return {"hastate": container.ha_state or ("started" if container.running else "stopped")}


def render_entry(cluster: Cluster, container: Container) -> dict[str, Any]:
    """A container as `/nodes/{node}/lxc` lists it."""
    config = container.config
    entry = {
        **measure(cluster, container),
        **render_optional(container),
        "vmid": container.vmid,
        "name": get_name(container),
        "type": "lxc",
        "status": "running" if container.running else "stopped",
        "cpus": count_cpus(cluster, container),
        "maxmem": int(config.get("memory", 512)) * MIB,
        "maxswap": int(config.get("swap", 0)) * MIB,
        "maxdisk": measure_disk(cluster, container),
        "swap": 0,
    }
    if config.get("template"):
        entry["template"] = 1
    if container.running:
        pressures = ("cpusome", "cpufull", "iosome", "iofull", "memorysome", "memoryfull")
        entry.update({f"pressure{name}": None if cluster.cgroup_mode == 1 else "0.00" for name in pressures})
        entry["pid"] = container.pid
    return entry


def count_cpus(cluster: Cluster, container: Container) -> float:
    """The cores given, or the limit, which may be half of one, or all of the node's."""
    limit = float(container.config.get("cpulimit") or 0)
    cores = container.config.get("cores")
    if cores:
        return int(cores)
    if limit:
        return int(limit) if limit.is_integer() else limit
    return cluster.nodes[container.node].cpus if container.node in cluster.nodes else 1


def render_resource(cluster: Cluster, container: Container) -> dict[str, Any]:
    """A container as `/cluster/resources` lists it."""
    entry = render_member(cluster, container)
    if entry["status"] == "unknown":
        return entry
    return {**entry, **render_optional(container), **render_ha(container)}


def render_member(cluster: Cluster, container: Container) -> dict[str, Any]:
    """A container as `/pools` lists it: without tags and lock."""
    identity = {"id": f"lxc/{container.vmid}", "vmid": container.vmid, "type": "lxc", "node": container.node}
    fresh = cluster.now() - container.created_at < cluster.status_seconds
    if fresh or not cluster.nodes[container.node].online:
        return {**identity, "status": "unknown"}
    entry = {
        **measure(cluster, container),
        **identity,
        "name": get_name(container),
        "status": "running" if container.running else "stopped",
        "template": 1 if container.config.get("template") else 0,
        "maxcpu": count_cpus(cluster, container),
        "maxmem": int(container.config.get("memory", 512)) * MIB,
        "maxdisk": measure_disk(cluster, container),
    }
    entry["memhost"] = entry["mem"]
    return entry


def get_address(cluster: Cluster, container: Container) -> str | None:
    """The IPv4 address the container has now: static as configured, by DHCP derived from its id."""
    if not container.running:
        return None
    for _, network in list_networks(container.config):
        if network.get("link_down") == "1":
            continue
        ip = network.get("ip", "")
        if ip == "dhcp" and cluster.dhcp:
            return compute_address(cluster.secret, container.vmid)
        if "/" in ip:
            return ip.split("/")[0]
    return None


def compute_address(secret: str, vmid: int) -> str:
    """A loopback address of its own for a container, the same at every start.

    Unique within a cluster for ids less than 65,000 apart; two clusters on one
    machine rarely share an address, as their secrets differ.
    """
    salt = int.from_bytes(hashlib.sha256(secret.encode()).digest()[:4], "big")
    number = (vmid * 253 + salt) % 65000 + 300
    return f"127.{salt // 65000 % 200 + 20}.{number >> 8}.{number & 255}"


def list_interfaces(cluster: Cluster, container: Container) -> list[dict[str, Any]]:
    """What `ip addr` inside a running container would say."""
    found = {"lo": render_interface("lo", "00:00:00:00:00:00", ["127.0.0.1/8"] if cluster.dhcp else [])}
    for _, network in list_networks(container.config):
        address = network.get("ip", "")
        if address == "dhcp":
            address = f"{compute_address(cluster.secret, container.vmid)}/8" if cluster.dhcp else ""
        cidrs = [each for each in (address, network.get("ip6", "")) if "/" in each]
        cidrs += _list_advertised(cluster, container, network)
        name = network["name"]
        found[name] = render_interface(name, network.get("hwaddr", "").lower(), cidrs)
    for one in container.interfaces:
        mac = str(one.get("hwaddr") or found.get(one["name"], {}).get("hwaddr", ""))
        found[one["name"]] = render_interface(one["name"], mac.lower(), list(one.get("addresses", ())))
    return list(found.values())


def _list_advertised(cluster: Cluster, container: Container, network: dict[str, str]) -> list[str]:
    """The IPv6 addresses of a link on a network with router advertisements, which `ipv6` is the prefix of."""
    if not cluster.ipv6 or "/" in network.get("ip6", "") or network.get("link_down") == "1":
        return []
    number = int(network["name"].strip("eth") or 0) if network["name"].startswith("eth") else 0
    return [
        f"fe80::{container.vmid:x}:{number + 1:x}/64",
        f"{cluster.ipv6}::{container.vmid:x}:{number + 1:x}/64",
    ]


def render_interface(name: str, mac: str, cidrs: list[str]) -> dict[str, Any]:
    """One entry of a guest's interfaces, as Proxmox lists them for containers."""
    interface: dict[str, Any] = {"name": name, "hwaddr": mac, "hardware-address": mac, "ip-addresses": []}
    for cidr in cidrs:
        address, _, prefix = cidr.partition("/")
        family = "inet6" if ":" in address else "inet"
        interface.setdefault(family, cidr)
        interface["ip-addresses"].append(
            {"ip-address": address, "ip-address-type": family, "prefix": int(prefix)}
        )
    return interface
