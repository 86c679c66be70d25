"""Reading containers: lists, status, interfaces, features, measurements."""

from typing import Any

from tests.pvesim.model.configs import list_disks
from tests.pvesim.model.entities import Container
from tests.pvesim.model.errors import bad_params, refuse
from tests.pvesim.model.permissions import may
from tests.pvesim.model.reading import list_interfaces, measure, render_entry
from tests.pvesim.model.router import Call, route

CT = "/nodes/{node}/lxc/{vmid}"
STEPS = {"hour": 60, "day": 1800, "week": 10800, "month": 43200, "year": 604800}


@route("GET", "/nodes/{node}/lxc")
def list_containers(call: Call) -> list[dict[str, Any]]:
    cluster = call.cluster
    return [
        render_entry(cluster, one)
        for one in cluster.list_containers(call.node)
        if may(cluster, call.user, f"/vms/{one.vmid}", "VM.Audit")
    ]


@route("GET", f"{CT}/status/current")
def get_status(call: Call) -> dict[str, Any]:
    container = call.cluster.get_container(call.node, call.vmid)
    return {**render_entry(call.cluster, container), "ha": {"managed": int(container.ha_seconds is not None)}}


@route("GET", f"{CT}/interfaces")
def get_interfaces(call: Call) -> list[dict[str, Any]] | None:
    container = call.cluster.containers.get(call.vmid)
    if container is None or container.node != call.node or not container.running:
        return None
    return list_interfaces(call.cluster, container)


@route("GET", f"{CT}/feature")
def has_feature(call: Call) -> dict[str, int]:
    container = call.cluster.get_container(call.node, call.vmid)
    feature = str(call.params["feature"])
    return {"hasFeature": int(feature == "copy" or supports(call, container, feature))}


def supports(call: Call, container: Container, feature: str) -> bool:
    """Whether every disk's storage can do it (clone: only from a template or snapshot)."""
    names = [values["volume"].partition(":")[0] for _, values in list_disks(container.config)]
    able = bool(names) and all(
        name in call.cluster.storages and call.cluster.storages[name].has_snapshots for name in names
    )
    if feature == "snapshot":
        return able
    return able and bool(container.config.get("template") or call.get("snapname"))


@route("GET", f"{CT}/rrddata")
def get_measurements(call: Call) -> list[dict[str, Any]]:
    cluster, vmid = call.cluster, call.vmid
    container = cluster.containers.get(vmid)
    if container is None:
        path = f"/var/lib/rrdcached/db/pve-vm-9.0/{vmid}"
        raise refuse(f"RRD error: opening '{path}': No such file or directory")
    step = STEPS[str(call.params["timeframe"])]
    end = int(cluster.now()) // step * step
    return [_render_point(call, container, end - step * back) for back in range(59, 0, -1)]


def _render_point(call: Call, container: Container, time: int) -> dict[str, Any]:
    if not container.running or time < container.started_at:
        return {"time": time}
    numbers = measure(call.cluster, container)
    entry = render_entry(call.cluster, container)
    kept = {key: numbers[key] for key in ("cpu", "mem", "disk", "netin", "netout", "diskread", "diskwrite")}
    limits = {"maxcpu": entry["cpus"], "maxmem": entry["maxmem"], "maxdisk": entry["maxdisk"]}
    return {"time": time, **kept, **limits}


@route("GET", f"{CT}/rrd")
def get_graph(call: Call) -> dict[str, str]:
    raise bad_params({"ds": "no such data source"})
