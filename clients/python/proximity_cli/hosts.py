"""hosts, nodes."""

from __future__ import annotations

import typer
from google.protobuf.empty_pb2 import Empty
from proximity.inventory.v1 import inventory_service_pb2 as pb

from proximity_cli.connection import connect
from proximity_cli.output import Json, print_json, print_table, render_size


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("hosts")(list_hosts)
    app.command("nodes")(list_nodes)


def list_hosts(as_json: Json = False) -> None:
    """List the Proxmox hosts."""
    platform = connect()
    found = list(platform.stream(platform.hosts.ListHosts, Empty()))
    if as_json:
        return print_json(found)
    rows = [(each.id, each.name, each.status, f"{each.host}:{each.port}", each.version) for each in found]
    print_table(("ID", "NAME", "STATUS", "ADDRESS", "VERSION"), rows, empty="There are no hosts.")
    return None


def list_nodes(as_json: Json = False) -> None:
    """List the nodes of the Proxmox hosts."""
    platform = connect()
    found = list(platform.stream(platform.hosts.ListNodes, pb.ListNodesRequest()))
    if as_json:
        return print_json(found)
    rows = [
        (
            each.host_name,
            each.name,
            each.status,
            f"{each.cpu_usage:.0%} of {each.cpu_count}",
            f"{render_size(each.memory_used)} of {render_size(each.memory_total)}",
            each.lxc_count,
        )
        for each in found
    ]
    print_table(("HOST", "NODE", "STATUS", "CPU", "MEMORY", "CONTAINERS"), rows, empty="There are no nodes.")
    return None
