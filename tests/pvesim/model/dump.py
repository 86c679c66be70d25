"""The work of vzdump: one job per node at a time, one container after the other."""

import time
from dataclasses import dataclass

from tests.pvesim.model.archives import (
    list_backups,
    list_included,
    make_archive,
    mark_backups,
    measure_archive,
    name_archive,
    name_snapshot,
    parse_retention,
)
from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.cluster_state import missing_config
from tests.pvesim.model.configs import list_disks
from tests.pvesim.model.entities import Container, Storage, Task, Volume
from tests.pvesim.model.errors import ApiError, TaskFailedError
from tests.pvesim.model.reading import get_name
from tests.pvesim.model.running import bring_up, take_down
from tests.pvesim.model.totals import count_used
from tests.pvesim.model.work import Seconds, Share, Work

LIMIT = (
    "There is a max backup limit of {count} enforced by the target storage or the vzdump parameters. "
    "Either increase the limit or delete old backups."
)


@dataclass(frozen=True)
class Job:
    """What a vzdump request asks for."""

    node: str
    storage: str
    vmids: list[int]
    mode: str
    compress: str
    remove: bool
    prune: dict[str, int]
    protected: bool
    notes: str | None
    bwlimit: int
    command: str


def work_dump(cluster: Cluster, task: Task, job: Job) -> Work:
    """Back up every container of the job; one that fails does not stop the others."""
    storage = _find_storage(cluster, job)
    if "cstream" in cluster.nodes[job.node].missing:
        raise TaskFailedError("unable to find command 'cstream'")
    task.log(f"INFO: starting new backup job: {job.command}")
    if cluster.locks.holders.get(f"vzdump-{job.node}"):
        task.log("INFO: trying to get global lock - waiting...")
    path = "/var/run/vzdump.lock"
    yield from cluster.hold(task, f"vzdump-{job.node}", limit=180 * 60, path=path)
    failed = False
    for vmid in job.vmids:
        try:
            yield from _dump_one(cluster, task, job, storage=storage, vmid=vmid)
        except TaskFailedError as error:
            task.log(
                f"ERROR: Backup of VM {vmid} failed - {error}", f"INFO: Failed at {render_stamp(cluster)}"
            )
            failed = True
    task.log(f"INFO: Backup job finished {'with errors' if failed else 'successfully'}")
    if failed:
        raise TaskFailedError("job errors")


def render_stamp(cluster: Cluster) -> str:
    """The cluster's time as task logs show it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(cluster.now()))


def _find_storage(cluster: Cluster, job: Job) -> Storage:
    name = job.storage
    try:
        storage = cluster.get_storage(name, job.node)
    except ApiError as error:
        text = f"could not activate storage '{name}': {error.reason} could not get storage information for '{name}': {error.reason}"
        raise TaskFailedError(text) from error
    if "backup" not in storage.content:
        text = f"could not get storage information for '{name}': can't use storage '{name}' for backups - wrong content type"
        raise TaskFailedError(text)
    return storage


def _dump_one(cluster: Cluster, task: Task, job: Job, *, storage: Storage, vmid: int) -> Work:
    container = cluster.containers.get(vmid)
    if container is None or container.node != job.node:
        raise TaskFailedError(f"unable to find VM '{vmid}'")
    rules = job.prune or parse_retention(storage.prune or cluster.nodes[job.node].prune)
    _check_limit(cluster, job, rules, vmid)
    started = cluster.now()
    task.log(
        f"INFO: Starting Backup of VM {vmid} (lxc)",
        f"INFO: Backup started at {render_stamp(cluster)}",
        f"INFO: status = {'running' if container.running else 'stopped'}",
    )
    if container.lock:
        raise TaskFailedError(f"CT is locked ({container.lock})")
    container.config["lock"] = "backup"
    task.recovery = {"vmid": vmid}
    cluster.mark(container)
    was_running = container.running
    try:
        yield from _write(cluster, task, job, container=container, storage=storage)
        if job.remove and rules:
            _prune(cluster, task, job, rules, vmid)
    finally:
        _clean_up(cluster, task, container=container, was_stopped=was_running and not container.running)
    task.log(
        f"INFO: Finished Backup of VM {vmid} ({time.strftime('%H:%M:%S', time.gmtime(cluster.now() - started))})",
        f"INFO: Backup finished at {render_stamp(cluster)}",
    )


def _clean_up(cluster: Cluster, task: Task, *, container: Container, was_stopped: bool) -> None:
    """Take the lock off and start what was stopped; where the container is gone, each only warns (VZDump.pm).

    Its archive is complete all the same: it is read from mounts of its own, and the configuration in it is older.
    """
    if cluster.containers.get(container.vmid) is container:
        container.config.pop("lock", None)
        cluster.mark(container)
        if was_stopped:
            task.log("INFO: restarting vm")
            bring_up(cluster, container)
        return
    warning = missing_config(container.node, container.vmid)
    task.log(warning, warning)  # unlock_vm and cleanup
    if was_stopped:
        task.log("INFO: restarting vm", warning)


def _check_limit(cluster: Cluster, job: Job, rules: dict[str, int], vmid: int) -> None:
    most = sum(count for rule, count in rules.items() if rule != "keep-all")
    held = [one for one in list_backups(cluster, job.storage, job.node, vmid) if not one.protected]
    if not job.remove and not job.protected and most and len(held) >= most:
        raise TaskFailedError(LIMIT.format(count=most))


def _find_mode(cluster: Cluster, job: Job, container: Container) -> str:
    """Snapshot needs a storage that has them; a stopped container needs nothing."""
    if not container.running:
        return "stop"
    storages = [
        cluster.storages.get(values["volume"].partition(":")[0]) for _, values in list_disks(container.config)
    ]
    if job.mode == "snapshot" and not all(one and one.has_snapshots for one in storages):
        return "suspend"
    return job.mode


def _write(cluster: Cluster, task: Task, job: Job, *, container: Container, storage: Storage) -> Work:
    mode = _find_mode(cluster, job, container)
    if mode != job.mode and container.running:
        task.log(
            "INFO: mode failure - some volumes do not support snapshots",
            "INFO: trying 'suspend' mode instead",
        )
    task.log(f"INFO: backup mode: {mode}")
    if job.bwlimit:
        task.log(f"INFO: bandwidth limit: {job.bwlimit} KiB/s")
    task.log("INFO: ionice priority: 7", f"INFO: CT Name: {get_name(container)}")
    for option in list_included(container):
        task.log(f"INFO: including mount point {option} ('/') in backup")
    if mode == "stop" and container.running:
        task.log("INFO: stopping virtual guest")
        take_down(cluster, container)
    if storage.is_backup_server:
        name = name_snapshot(container.vmid, cluster.now())
        task.log(f"INFO: creating Proxmox Backup Server archive '{name.removeprefix('backup/')}'")
    else:
        name = name_archive(container.vmid, cluster.now(), job.compress)
        path = f"{storage.path}/dump/{name.removeprefix('backup/')}"
        task.log(f"INFO: creating vzdump archive '{path}'")
    archive = make_archive(cluster, container, storage, name=name, now=cluster.now())
    yield from _transfer(cluster, job, container)
    _check_space(cluster, storage, archive, job.node)
    _keep(cluster, task, job, archive, container)


def _transfer(cluster: Cluster, job: Job, container: Container) -> Work:
    yield Share(1)
    if job.bwlimit:
        yield Seconds(measure_archive(container, "0") / (job.bwlimit * 1024))


def _check_space(cluster: Cluster, storage: Storage, archive: Volume, node: str) -> None:
    if count_used(cluster, storage, node) + archive.size > storage.total:
        raise TaskFailedError("write error: No space left on device")


def _keep(cluster: Cluster, task: Task, job: Job, archive: Volume, container: Container) -> None:
    task.log(
        f"INFO: Total bytes written: {archive.size}",
        f"INFO: archive file size: {max(1, archive.size >> 20)}MB",
    )
    if job.notes is not None:
        task.log("INFO: adding notes to backup")
        archive.notes = _fill_notes(cluster, job.notes, container)
    if job.protected:
        task.log("INFO: marking backup as protected")
        archive.protected = True
    cluster.add("volumes", archive.key, archive)


def _fill_notes(cluster: Cluster, template: str, container: Container) -> str:
    values = {
        "guestname": get_name(container),
        "vmid": str(container.vmid),
        "node": container.node,
        "cluster": cluster.name,
    }
    for key, value in values.items():
        template = template.replace("{{" + key + "}}", value)
    return template.replace("\\n", "\n")


def _prune(cluster: Cluster, task: Task, job: Job, rules: dict[str, int], vmid: int) -> None:
    task.log("INFO: prune older backups with retention: " + ", ".join(f"{k}={v}" for k, v in rules.items()))
    marks = mark_backups(list_backups(cluster, job.storage, job.node, vmid), rules)
    doomed = [volid for volid, mark in marks.items() if mark == "remove"]
    for volid in doomed:
        volume = cluster.find_volume(volid, job.node)
        if volume:
            cluster.drop("volumes", volume.key)
        task.log(f"INFO: removing backup '{volid}'")
    task.log(f"INFO: pruned {len(doomed)} backup(s)")
