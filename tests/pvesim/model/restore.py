"""A backup archive becoming a container again."""

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.configs import list_networks, normalise, parse_text
from tests.pvesim.model.disks import copy_disks, list_volumes, make_disks
from tests.pvesim.model.entities import Config, Container, Task, Volume
from tests.pvesim.model.errors import TaskFailedError
from tests.pvesim.model.properties import join_properties

CONFIG_SHARE = 0.01
"""vzdump writes the configuration at the beginning of an archive."""
NO_CONFIG = "ERROR: archive contains no configuration file"
# PVE::LXC::Create::restore_tar_archive_command, with the flags of PVE::Storage::Plugin.
_TAR = (
    "lxc-usernsexec -m u:0:100000:65536 -m g:0:100000:65536 -- tar xpf - {compression}--totals --one-file-system -p "
    "--sparse --numeric-owner --acls --xattrs '--xattrs-include=user.*' '--xattrs-include=security.capability' "
    "'--warning=no-file-ignored' '--warning=no-xattr-write' -C /var/lib/lxc/{vmid}/rootfs --skip-old-files --anchored "
    "--exclude './dev/*'"
)
_COMPRESSIONS = {"tar.zst": "--zstd ", "tar.gz": "-z ", "tar.lzo": "--lzop "}


def check_config(archive: Volume, vmid: int) -> None:
    """Fail as the recovery of the configuration from an archive that lacks its beginning.

    Raises:
        TaskFailedError: as PVE::Storage::extract_vzdump_config_tar.
    """
    if archive.readable < CONFIG_SHARE:
        raise TaskFailedError(f"unable to restore CT {vmid} - {NO_CONFIG}")


def check_data(task: Task, archive: Volume, vmid: int) -> None:
    """Fail as tar and zstd on an archive that lacks its end: their words were recorded from GNU tar 1.34 and zstd 1.5.

    Raises:
        TaskFailedError: as PVE::Tools::run_command on the exit status of tar.
    """
    if archive.readable >= 1:
        return
    if archive.format == "tar.zst":
        task.log("/*stdin*\\ : Read error (39) : premature end ")
    task.log("tar: Unexpected EOF in archive", "tar: Error is not recoverable: exiting now")
    command = _TAR.format(compression=_COMPRESSIONS.get(archive.format, ""), vmid=vmid)
    raise TaskFailedError(f"unable to restore CT {vmid} - command '{command}' failed: exit code 2")


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
        # Recorded: the networks of the archive overrule those that were given.
        options = {key: value for key, value in options.items() if key not in dict(list_networks(saved))}
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
