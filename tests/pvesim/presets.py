"""The clusters that the simulator starts with."""

import json
import time
from pathlib import Path
from typing import Any

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.configs import normalise
from tests.pvesim.model.disks import make_disks
from tests.pvesim.model.entities import GIB, Acl, Container, Node, Storage, Token, User, Volume
from tests.pvesim.model.running import bring_up

ROOT = "root@pam"
PASSWORD = "secret123"
TOKEN = "app"
DEBIAN = "debian-12-standard_12.7-1_amd64.tar.zst"
ALPINE = "alpine-3.22-default_20250617_amd64.tar.xz"
RECORDED = "debian-12-standard_12.7-1_amd64.tar.zst"
DATA = Path(__file__).parent / "data"


def fill(cluster: Cluster, *, preset: str, nodes: int, topology: dict[str, Any] | None = None) -> None:
    """Put the chosen beginning into an empty cluster."""
    _add_root(cluster)
    if topology is not None:
        _fill_topology(cluster, topology)
    else:
        {"recorded": _fill_recorded, "demo": _fill_demo, "empty": _fill_empty}[preset](cluster, nodes)
    cluster.touch_all()


def _add_root(cluster: Cluster) -> None:
    cluster.secret = f"{cluster.rng.getrandbits(256):064x}"
    cluster.users[ROOT] = User(ROOT, password=PASSWORD)
    text = f"{cluster.rng.getrandbits(128):032x}"
    secret = "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
    token = Token(ROOT, TOKEN, secret, privsep=0)
    cluster.tokens[token.full] = token


def add_template(
    cluster: Cluster, name: str, *, storage: str = "local", node: str = "", size: int = 0
) -> None:
    """Put a template archive on a storage."""
    from tests.pvesim.api.downloads import guess_format

    size = size or (130 << 20 if name.startswith("debian") else 4 << 20)
    volume = Volume(
        storage=storage,
        name=f"vztmpl/{name}",
        node=node,
        content="vztmpl",
        size=size,
        used=size,
        format=guess_format(f"vztmpl/{name}"),
        ctime=int(time.time()) - 86400,
    )
    cluster.volumes[volume.key] = volume


def _fill_recorded(cluster: Cluster, _nodes: int) -> None:
    """The single server of the recordings; a second one is known to it and cannot be reached."""
    cluster.name, cluster.first_vmid, cluster.dhcp, cluster.cgroup_mode = "pve", 100, False, 1
    now = int(time.time())
    missing = ["skopeo", "termproxy", "criu", "jobs"]
    cluster.nodes["pve"] = Node(
        "pve",
        cpus=2,
        memory=25276502016,
        memory_used=4546564096,
        disk=6 * GIB,
        boot_time=now - 1500,
        missing=missing,
    )
    cluster.nodes["pve2"] = Node("pve2", online=False, joined=False, boot_time=now)
    everything = ["images", "snippets", "import", "vztmpl", "rootdir", "backup", "iso"]
    cluster.storages["local"] = Storage("local", "dir", everything, path="/var/lib/vz")
    cluster.storages["btr"] = Storage("btr", "btrfs", ["images", "rootdir"], path="/srv/btr", total=4 * GIB)
    cluster.storages["backup"] = Storage(
        "backup", "dir", ["backup"], path="/srv/backup", shared=True, prune="keep-last=3"
    )
    add_template(cluster, RECORDED, node="pve", size=1078563)


def _add_nodes(cluster: Cluster, count: int) -> None:
    now = int(time.time())
    for number in range(1, count + 1):
        used = ((number * 7) % 5 + 2) * 2 * GIB
        cluster.nodes[f"pve{number}"] = Node(
            f"pve{number}",
            cpus=8,
            memory=64 * GIB,
            memory_used=used,
            disk=96 * GIB,
            boot_time=now - 86400 * number,
            bridges=["vmbr0", "vmbr1"],
        )


def _add_storages(cluster: Cluster) -> None:
    cluster.storages["local"] = Storage(
        "local", "dir", ["vztmpl", "iso", "backup", "rootdir"], path="/var/lib/vz", total=94 * GIB
    )
    cluster.storages["local-lvm"] = Storage("local-lvm", "lvmthin", ["rootdir", "images"], total=500 * GIB)
    cluster.storages["backup"] = Storage(
        "backup", "dir", ["backup"], path="/mnt/backup", shared=True, total=1000 * GIB
    )


def _load_appliances() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((DATA / "appliances.json").read_text())
    return found


def _fill_empty(cluster: Cluster, nodes: int) -> None:
    cluster.name = "homelab"
    _add_nodes(cluster, nodes)
    _add_storages(cluster)
    cluster.aplinfo = _load_appliances()


def _fill_demo(cluster: Cluster, nodes: int) -> None:
    _fill_empty(cluster, nodes)
    for node in cluster.nodes:
        add_template(cluster, DEBIAN, node=node)
        add_template(cluster, ALPINE, node=node)
    names = list(cluster.nodes)
    add_stranger(
        cluster,
        {
            "vmid": 101,
            "node": names[0],
            "hostname": "intranet",
            "template": DEBIAN,
            "services": ["nginx"],
            "running": True,
        },
    )
    add_stranger(
        cluster,
        {
            "vmid": 102,
            "node": names[-1],
            "hostname": "wiki",
            "template": ALPINE,
            "services": ["nginx"],
            "running": True,
        },
    )
    add_stranger(
        cluster,
        {"vmid": 103, "node": names[0], "hostname": "old-files", "template": DEBIAN, "running": False},
    )


def _fill_topology(cluster: Cluster, topology: dict[str, Any]) -> None:
    """A cluster described by a file: settings, nodes, storages, templates, containers, users."""
    for name in ("name", "version", "first_vmid", "dhcp", "ipv6", "cgroup_mode"):
        if name in topology:
            setattr(cluster, name, topology[name])
    now = int(time.time())
    for one in topology.get("nodes", [{"name": "pve1"}]):
        cluster.nodes[one["name"]] = Node(**{"boot_time": now - 86400, **one})
    if "storages" in topology:
        cluster.storages.update({one["name"]: Storage(**one) for one in topology["storages"]})
    else:
        _add_storages(cluster)
    cluster.aplinfo = topology.get("aplinfo", _load_appliances())
    for node in cluster.nodes:
        for name in topology.get("templates", [DEBIAN, ALPINE]):
            add_template(cluster, name, node=node)
    for one in topology.get("users", []):
        cluster.users[one["userid"]] = User(**one)
    for one in topology.get("acls", []):
        acl = Acl(**one)
        cluster.acls[acl.key] = acl
    for one in topology.get("containers", []):
        add_stranger(cluster, one)


def add_stranger(cluster: Cluster, wanted: dict[str, Any]) -> Container:
    """A container that was there before anybody asked the API: `image`, `template` or nothing inside."""
    vmid, node = int(wanted["vmid"]), str(wanted["node"])
    config = {
        "arch": "amd64",
        "hostname": wanted.get("hostname", f"CT{vmid}"),
        "memory": 512,
        "swap": 512,
        "ostype": "debian",
        "unprivileged": 1,
    }
    given = {"net0": "name=eth0,bridge=vmbr0,ip=dhcp,firewall=1", **wanted.get("config", {})}
    config.update({key: normalise(cluster, key, value) for key, value in given.items() if value is not None})
    if "rootfs" not in config:
        storage = wanted.get("storage") or _find_root_storage(cluster)
        config.update(
            make_disks(cluster, {"rootfs": f"{storage}:{wanted.get('disk', 4)}"}, vmid=vmid, node=node)
        )
    container = Container(vmid, node, config)
    if image := wanted.get("image"):
        container.image = {"reference": image}
        container.guest = cluster.guests.from_image(
            image, hostname=str(config["hostname"]), env={}, entrypoint=None
        )
    elif template := wanted.get("template"):
        container.guest = cluster.guests.from_template(str(template), hostname=str(config["hostname"]))
        for name in wanted.get("services", []):
            container.guest.add_service(name)
    cluster.add_container(container)
    if wanted.get("running"):
        bring_up(cluster, container)
    return container


def _find_root_storage(cluster: Cluster) -> str:
    return next(name for name, one in cluster.storages.items() if "rootdir" in one.content)
