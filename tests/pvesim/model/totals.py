"""Sums over the whole cluster, computed once for each state of it."""

from collections import defaultdict
from dataclasses import dataclass, field

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.entities import Storage
from tests.pvesim.model.reading import measure_memory


@dataclass
class Totals:
    """Memory that each node's containers use, and bytes that each storage holds for each node."""

    revision: int = -1
    memory: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    held: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))


def get_totals(cluster: Cluster) -> Totals:
    """The sums for the cluster as it is now."""
    found = cluster.totals
    if isinstance(found, Totals) and found.revision == cluster.revision:
        return found
    totals = Totals(cluster.revision)
    for container in cluster.containers.values():
        totals.memory[container.node] += measure_memory(container)
    for volume in cluster.volumes.values():
        size = volume.used or (volume.size if volume.content != "rootdir" else 0)
        totals.held[volume.storage, volume.node] += size
    cluster.totals = totals
    return totals


def count_used(cluster: Cluster, storage: Storage, node: str) -> int:
    """Bytes in use on a storage as seen from a node."""
    held = get_totals(cluster).held
    mine = held.get((storage.name, ""), 0) + held.get((storage.name, node), 0)
    return min(storage.total, storage.base_used + mine)
