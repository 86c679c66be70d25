"""hosts list, nodes."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty
from proximity.inventory.v1 import inventory_service_pb2 as pb

from proximity_cli.connection import connect
from proximity_cli.filters import with_filters
from proximity_cli.output import present, print_table, render_size


def list_hosts() -> None:
    """List the Proxmox hosts."""
    platform = connect()
    found = list(platform.stream(platform.hosts.ListHosts, Empty()))
    rows = [(each.id, each.name, each.status, f"{each.host}:{each.port}", each.version) for each in found]
    columns = ("ID", "NAME", "STATUS", "ADDRESS", "VERSION")
    present(found, lambda: print_table(columns, rows, empty="There are no hosts."))


@with_filters("inventory.HostService.ListNodes")
def list_nodes(*, request: pb.ListNodesRequest) -> None:
    """List the nodes of the Proxmox hosts."""
    platform = connect()
    found = list(platform.stream(platform.hosts.ListNodes, request))
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
    columns = ("HOST", "NODE", "STATUS", "CPU", "MEMORY", "CONTAINERS")
    present(found, lambda: print_table(columns, rows, empty="There are no nodes."))
