"""History of containers and nodes as Proxmox VE records it with RRDtool."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from services.inventory.domain.errors import ProxmoxRefusedError
from services.inventory.domain.metrics import MeasuredHistory, Measurement
from services.inventory.domain.proxmox_api import ProxmoxApi

_MOST = 2000  # samples; Proxmox VE 9 has 1,460 of a year, the releases before 70 of any range
_FROM_RATIO = 100.0  # Proxmox has ratios, clients see percent
# Field of Proxmox: our own, and its factor. Containers and nodes have different names for the same.
_FIELDS: dict[str, tuple[str, float]] = {
    "cpu": ("cpu_usage", _FROM_RATIO),
    "mem": ("memory_used", 1),
    "maxmem": ("memory_total", 1),
    "memused": ("memory_used", 1),
    "memtotal": ("memory_total", 1),
    "disk": ("disk_used", 1),
    "maxdisk": ("disk_total", 1),
    "rootused": ("disk_used", 1),
    "roottotal": ("disk_total", 1),
    "netin": ("network_in", 1),
    "netout": ("network_out", 1),
    "diskread": ("disk_read", 1),
    "diskwrite": ("disk_written", 1),
    "loadavg": ("load_average", 1),
    "iowait": ("io_wait", _FROM_RATIO),
}
NUMBERS = ("time", *_FIELDS)
"""Fields of a sample that are numbers where they are there."""


async def read_history(client: ProxmoxApi, path: str, *, timeframe: str) -> MeasuredHistory:
    """Read the history of a container or node; empty where Proxmox has recorded nothing yet.

    Args:
        client: of its host.
        path: of the container or node.
        timeframe: hour, day, week, month or year.

    Raises:
        DomainError: as `ProxmoxApi.get`.
    """
    try:
        rows = await client.get(f"{path}/rrddata", timeframe=timeframe)
    except ProxmoxRefusedError as error:
        # The file is made with the first measurement, some seconds after the container.
        if "RRD error" in error.message and "No such file" in error.message:
            rows = []
        else:
            raise
    by_time = {int(float(row["time"])): row for row in rows}
    times = sorted(by_time)[-_MOST:]
    steps = [after - before for before, after in pairwise(times)]
    samples = tuple(_parse_sample(time, by_time[time]) for time in times)
    return MeasuredHistory(range=timeframe, interval_s=min(steps, default=0), samples=samples)


def _parse_sample(time: int, row: Mapping[str, Any]) -> Measurement:
    values: dict[str, float] = {}
    for name, (ours, factor) in _FIELDS.items():
        value = row.get(name)
        if value is not None and value != "":
            # The load of an idle container is sometimes a little below zero.
            values[ours] = round(max(float(value) * factor, 0.0), 4)
    return Measurement(time=datetime.fromtimestamp(time, UTC), **values)
