"""Directory listings: what lies below a path."""

from typing import Any

from tests.pvesim.model.errors import refuse
from tests.pvesim.model.router import HANDLERS, Call, Handler, route

NODE_PARTS = [
    "aplinfo",
    "apt",
    "capabilities",
    "ceph",
    "certificates",
    "config",
    "disks",
    "dns",
    "firewall",
    "hardware",
    "hosts",
    "journal",
    "lxc",
    "migrateall",
    "netstat",
    "network",
    "qemu",
    "query-oci-repo-tags",
    "query-url-metadata",
    "replication",
    "report",
    "rrd",
    "rrddata",
    "scan",
    "sdn",
    "services",
    "spiceshell",
    "startall",
    "status",
    "stopall",
    "storage",
    "subscription",
    "suspendall",
    "syslog",
    "tasks",
    "termproxy",
    "time",
    "version",
    "vncshell",
    "vzdump",
    "wakeonlan",
]
CONTAINER_PARTS = [
    "config",
    "pending",
    "status",
    "vncproxy",
    "termproxy",
    "vncwebsocket",
    "spiceproxy",
    "migrate",
    "clone",
    "rrd",
    "rrddata",
    "firewall",
    "snapshot",
    "resize",
    "interfaces",
]
CLUSTER_PARTS = [
    "replication",
    "metrics",
    "notifications",
    "config",
    "firewall",
    "backup",
    "backup-info",
    "ha",
    "acme",
    "ceph",
    "jobs",
    "mapping",
    "bulk-action",
    "sdn",
    "log",
    "resources",
    "tasks",
    "options",
    "status",
    "nextid",
]


def _index(key: str, parts: list[str]) -> Handler:
    entries = [{key: part} for part in parts]
    return lambda _call: entries


INDEXES = {
    "/nodes/{node}": ("name", NODE_PARTS),
    "/nodes/{node}/lxc/{vmid}/status": (
        "subdir",
        ["current", "start", "stop", "shutdown", "suspend", "resume", "reboot"],
    ),
    "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}": ("cmd", ["rollback", "config"]),
    "/nodes/{node}/tasks/{upid}": ("name", ["log", "status"]),
    "/nodes/{node}/storage/{storage}": (
        "subdir",
        ["content", "upload", "file-restore", "status", "prunebackups"],
    ),
    "/cluster": ("name", CLUSTER_PARTS),
    "/access": (
        "subdir",
        ["users", "groups", "roles", "acl", "domains", "openid", "tfa", "ticket", "password", "permissions"],
    ),
}
ROOT_INDEX = [{"subdir": part} for part in ("version", "cluster", "nodes", "storage", "access", "pools")]

for _path, (_key, _parts) in INDEXES.items():
    HANDLERS["GET", _path] = _index(_key, list(_parts))


@route("GET", "/nodes/{node}/lxc/{vmid}")
def list_container_parts(call: Call) -> list[dict[str, Any]]:
    container = call.cluster.containers.get(call.vmid)
    if container is None or container.node != call.node:
        raise refuse(f"Configuration file 'nodes/{call.node}/lxc/{call.vmid}.conf' does not exist")
    return [{"subdir": part} for part in CONTAINER_PARTS]
