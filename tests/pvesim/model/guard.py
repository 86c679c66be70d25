"""What a user may change in a container's configuration; an API token is never root."""

import re
from typing import Any

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.configs import DISK, NETWORK, split_option
from tests.pvesim.model.disks import NEW_DISK, get_kind
from tests.pvesim.model.entities import Config
from tests.pvesim.model.errors import forbid, refuse
from tests.pvesim.model.permissions import ROOT, check, may

CPU = re.compile(r"cores|cpuunits|cpulimit")
MEMORY = re.compile(r"memory|swap")
NETWORKING = re.compile(r"net\d+|nameserver|searchdomain|hostname")


class Guard:
    """Checks the options that one user sets on one container."""

    def __init__(
        self, cluster: Cluster, user: str, vmid: int, *, pool: str | None, unprivileged: bool
    ) -> None:
        self._cluster = cluster
        self._user = user
        self._vmid = vmid
        self._pool = pool
        self._unprivileged = unprivileged

    def check_options(self, old: Config, new: dict[str, Any], delete: list[str]) -> None:
        """403 for the first option that is not this user's to set or delete."""
        if self._user == ROOT:
            return
        for option in delete:
            self._check_option(option, None, old)
        for option, value in new.items():
            self._check_option(option, value, old)

    def _check_option(self, option: str, value: Any, old: Config) -> None:
        if CPU.fullmatch(option):
            self._need("VM.Config.CPU")
        elif MEMORY.fullmatch(option):
            self._need("VM.Config.Memory")
        elif DISK.fullmatch(option):
            self._check_disk(option, value)
        elif NETWORKING.fullmatch(option):
            self._need("VM.Config.Network")
            self._check_bridge(option, value)
        elif option == "features":
            self._check_features(value, old)
        elif option == "hookscript":
            raise forbid("changing the hookscript is only allowed for root@pam")
        elif re.fullmatch(r"dev\d+", option):
            raise forbid("configuring device passthrough is only allowed for root@pam")
        else:
            self._need("VM.Config.Options")

    def _need(self, privilege: str) -> None:
        if self._pool and may(self._cluster, self._user, f"/pool/{self._pool}", privilege):
            return
        check(self._cluster, self._user, f"/vms/{self._vmid}", privilege)

    def _check_disk(self, option: str, value: Any) -> None:
        self._need("VM.Config.Disk")
        if value is None:
            return
        volume = split_option(option, str(value)).get("volume", "")
        if get_kind(volume) != "volume":
            raise forbid(f"mount point type {get_kind(volume)} is only allowed for root@pam")
        if new := NEW_DISK.fullmatch(volume):
            check(self._cluster, self._user, f"/storage/{new[1]}", "Datastore.AllocateSpace")

    def _check_bridge(self, option: str, value: Any) -> None:
        if value is None or not NETWORK.fullmatch(option):
            return
        bridge = split_option(option, str(value)).get("bridge")
        if bridge:
            check(self._cluster, self._user, f"/sdn/zones/localnetwork/{bridge}", "SDN.Use")

    def _check_features(self, value: Any, old: Config) -> None:
        if not self._unprivileged:
            raise forbid("changing feature flags for privileged container is only allowed for root@pam")
        before = split_option("features", str(old.get("features", ""))) if old.get("features") else {}
        after = split_option("features", str(value)) if value else {}
        changed = {key for key in {*before, *after} if before.get(key, "") != after.get(key, "")}
        if changed - {"nesting"}:
            raise forbid("changing feature flags (except nesting) is only allowed for root@pam")
        if changed:
            self._need("VM.Allocate")


def check_volume_access(cluster: Cluster, user: str, volid: str, *, node: str, content: str) -> None:
    """Whether a volume of that content type may be used: storage first, then kind, then rights."""
    storage, sign, name = volid.partition(":")
    if not sign:
        raise refuse(f"unable to parse volume ID '{volid}'")
    cluster.get_storage(storage, node)
    kind = parse_content(name)
    if kind != content:
        raise refuse(f"unable to use volume {volid} - content type needs to be '{content}'")
    if content == "vztmpl":
        check(cluster, user, f"/storage/{storage}", "Datastore.AllocateSpace", "Datastore.Audit", any_of=True)
    elif content == "backup":
        check(cluster, user, f"/storage/{storage}", "Datastore.AllocateSpace")


BACKUP = re.compile(
    r"backup/vzdump-(lxc|qemu|openvz)-(\d+)-.+\.(tar(\.(gz|lzo|zst|bz2))?|tgz|vma(\.(gz|lzo|zst))?)"
)
TEMPLATE = re.compile(r"vztmpl/[^/]+\.(tar(\.(gz|xz|zst|bz2))?|tgz)")


def parse_content(name: str) -> str | None:
    """The content type that a volume's name says it has."""
    if name.startswith(("backup/", "ct/")):
        return "backup"
    if TEMPLATE.fullmatch(name):
        return "vztmpl"
    if name.startswith("iso/"):
        return "iso"
    return "rootdir" if re.search(r"(vm|base|subvol)-\d+-", name) else None
