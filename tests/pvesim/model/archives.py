"""Backup archives: names, retention, what a backup of a container holds."""

import re
import time
from collections.abc import Iterable

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.configs import list_disks, render_text
from tests.pvesim.model.entities import Container, Storage, Volume

EXTENSIONS = {"0": "tar", "1": "tar.lzo", "lzo": "tar.lzo", "gzip": "tar.gz", "zstd": "tar.zst"}
RULES = {
    "keep-last": "%Y-%m-%d %H:%M:%S",
    "keep-hourly": "%Y-%m-%d %H",
    "keep-daily": "%Y-%m-%d",
    "keep-weekly": "%G-%V",
    "keep-monthly": "%Y-%m",
    "keep-yearly": "%Y",
}


def parse_retention(text: str) -> dict[str, int]:
    """`keep-last=3,keep-daily=7` as numbers by rule."""
    return {key: int(value) for key, value in re.findall(r"(keep-[a-z]+)=(\d+)", text)}


def mark_backups(backups: Iterable[Volume], rules: dict[str, int]) -> dict[str, str]:
    """`keep`, `remove` or `protected` for each archive of one guest, by volume id.

    What a rule marks no later rule sees again, and a period in which something is kept does not count.
    """
    backups = list(backups)
    marks = {one.volid: "protected" for one in backups if one.protected}
    open_ones = sorted((one for one in backups if not one.protected), key=lambda one: -one.ctime)
    if rules.get("keep-all") or not any(rules.values()):
        return marks | {one.volid: "keep" for one in open_ones}
    found: dict[str, str] = {}
    for rule, form in RULES.items():
        _apply_rule(found, open_ones, form, most=rules.get(rule, 0))
    return marks | {one.volid: found.get(one.volid, "remove") for one in open_ones}


def _apply_rule(found: dict[str, str], newest_first: list[Volume], form: str, *, most: int) -> None:
    """Mark what one rule keeps, and what lies in the periods of those."""
    periods = {one.volid: time.strftime(form, time.gmtime(one.ctime)) for one in newest_first}
    covered = {periods[volid] for volid, mark in found.items() if mark == "keep"}
    added: set[str] = set()
    for one in newest_first if most else ():
        period = periods[one.volid]
        if one.volid in found or period in covered:
            continue
        if period in added:
            found[one.volid] = "remove"
            continue
        if len(added) >= most:
            break
        added.add(period)
        found[one.volid] = "keep"


def list_backups(cluster: Cluster, storage: str, node: str, vmid: int | None = None) -> list[Volume]:
    """The archives on a storage as seen from a node."""
    return [
        one
        for one in cluster.volumes.values()
        if one.storage == storage and one.content == "backup" and one.node in {"", node}
        and (vmid is None or one.vmid == vmid)
    ]  # fmt: skip


def name_archive(vmid: int, now: float, compress: str) -> str:
    """The archive's name: named by the second, so two in one second are one."""
    stamp = time.strftime("%Y_%m_%d-%H_%M_%S", time.gmtime(now))
    return f"backup/vzdump-lxc-{vmid}-{stamp}.{EXTENSIONS[compress]}"


def name_snapshot(vmid: int, now: float) -> str:
    """The name that a Proxmox Backup Server gives an archive."""
    return f"backup/ct/{vmid}/{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(now))}"


def measure_archive(container: Container, compress: str) -> int:
    """Bytes that an archive of the container takes."""
    inside = len(str(container.guest.to_dict())) if container.guest else 0
    size = 2068480 + inside
    return size if compress == "0" else size * 52 // 100


def make_archive(
    cluster: Cluster, container: Container, storage: Storage, *, name: str, now: float
) -> Volume:
    """The archive of a container as it is now."""
    extension = "pbs-ct" if storage.is_backup_server else name.partition(".")[2]
    size = measure_archive(container, "0" if extension == "tar" else "zstd")
    config = {key: value for key, value in container.config.items() if key not in {"lock", "parent"}}
    return Volume(
        storage=storage.name,
        name=name,
        node="" if storage.shared else container.node,
        content="backup",
        size=size,
        used=size,
        format=extension,
        ctime=int(now),
        vmid=container.vmid,
        config=render_text(config),
        guest=cluster.copy_guest(container.guest),
        image=container.image,
    )


def list_included(container: Container) -> list[str]:
    """The mount points that a backup takes: the root, and those with backup=1."""
    return [
        option
        for option, values in list_disks(container.config)
        if option == "rootfs" or values.get("backup") == "1"
    ]
