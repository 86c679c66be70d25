"""Virtual machines as far as others meet them: listed, configured, with the addresses that their agents report."""

from typing import Any

from tests.pvesim.model.cluster import missing_config
from tests.pvesim.model.entities import Machine
from tests.pvesim.model.errors import refuse
from tests.pvesim.model.permissions import may
from tests.pvesim.model.reading import render_interface
from tests.pvesim.model.router import Call, route

VM = "/nodes/{node}/qemu/{vmid}"


def render_machine(machine: Machine) -> dict[str, Any]:
    """A virtual machine as it is listed."""
    return {
        "vmid": machine.vmid,
        "name": machine.config.get("name", f"VM {machine.vmid}"),
        "status": "running" if machine.running else "stopped",
        "maxmem": int(machine.config.get("memory", 512)) << 20,
        "maxdisk": 0,
        "disk": 0,
        "mem": 0,
        "cpu": 0,
        "uptime": 0,
    }


@route("GET", "/nodes/{node}/qemu")
def list_machines(call: Call) -> list[dict[str, Any]]:
    return [
        {**render_machine(one), "cpus": 1}
        for one in call.cluster.machines.values()
        if one.node == call.node and may(call.cluster, call.user, f"/vms/{one.vmid}", "VM.Audit")
    ]


@route("GET", f"{VM}/config")
def get_machine_config(call: Call) -> dict[str, Any]:
    return {**_find(call).config, "digest": "0" * 40}


@route("GET", f"{VM}/agent/network-get-interfaces")
def get_machine_interfaces(call: Call) -> dict[str, Any]:
    machine = _find(call)
    if not machine.running:
        raise refuse(f"VM {machine.vmid} is not running")
    if not machine.config.get("agent"):
        raise refuse("No QEMU guest agent configured")
    rows = [
        render_interface(one["name"], one.get("hwaddr", ""), one["addresses"]) for one in machine.interfaces
    ]
    for row in rows:
        for each in row["ip-addresses"]:
            each["ip-address-type"] = {"inet": "ipv4", "inet6": "ipv6"}[each["ip-address-type"]]
    return {
        "result": [
            {"name": row["name"], "hardware-address": row["hwaddr"], "ip-addresses": row["ip-addresses"]}
            for row in rows
        ]
    }


def _find(call: Call) -> Machine:
    machine = call.cluster.machines.get(str(call.vmid))
    if machine is None or machine.node != call.node:
        raise refuse(missing_config(call.node, call.vmid).replace("/lxc/", "/qemu-server/"))
    return machine
