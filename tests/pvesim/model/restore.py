"""A backup archive becoming a container again."""

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.configs import list_networks, normalise, parse_text
from tests.pvesim.model.disks import copy_disks, list_volumes, make_disks
from tests.pvesim.model.entities import Config, Container, Volume
from tests.pvesim.model.properties import join_properties


def recover_config(
    cluster: Cluster,
    container: Container,
    archive: Volume,
    *,
    options: Config,
    disks: dict[str, str],
    storage: str,
    unique: bool,
) -> None:
    """Replace a container by what the archive holds, merged with what the request gave."""
    saved = parse_text(archive.config)
    for gone in ("lock", "parent", "template", "snaptime"):
        saved.pop(gone, None)
    before = list_volumes(cluster, container)
    if disks:
        made = make_disks(cluster, disks, vmid=container.vmid, node=container.node)
    else:
        made = copy_disks(cluster, saved, vmid=container.vmid, node=container.node, storage=storage)
    for key in before:  # the new ones are made first, so they have other numbers
        cluster.drop("volumes", key)
    config = {key: value for key, value in saved.items() if key != "rootfs" and not key.startswith("mp")}
    if unique:
        renew_addresses(cluster, config)
    container.config = {**config, **options, **made}
    container.pending = {}
    container.snapshots = {}
    container.image = archive.image
    container.guest = cluster.guests.from_dict(archive.guest) if archive.guest else None
    if container.guest:
        container.guest.shutdown()
    cluster.mark(container)


def renew_addresses(cluster: Cluster, config: Config) -> None:
    """New hardware addresses for every interface."""
    for option, network in list(list_networks(config)):
        values = {key: value for key, value in network.items() if key != "hwaddr"}
        config[option] = normalise(cluster, option, join_properties(values, first=("name",)))
