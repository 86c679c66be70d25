"""POST /nodes/{node}/lxc: a new container from a template, or one back from a backup."""

from dataclasses import dataclass, field
from typing import Any

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.configs import DISK, NOT_CONFIG, normalise, split_option
from tests.pvesim.model.disk_logs import log_bytes_read, log_extraction, log_new_disk
from tests.pvesim.model.disks import NEW_DISK, get_kind
from tests.pvesim.model.entities import Container, Task
from tests.pvesim.model.errors import ApiError, TaskFailedError, bad_params, forbid, refuse
from tests.pvesim.model.guard import Guard, check_volume_access
from tests.pvesim.model.permissions import ROOT, check, may
from tests.pvesim.model.restore import check_config, check_data, recover_config
from tests.pvesim.model.router import Call, route
from tests.pvesim.model.running import start_container
from tests.pvesim.model.unpack import unpack_template
from tests.pvesim.model.work import Share, Work


@dataclass
class Order:
    """A create or restore request, taken apart."""

    vmid: int
    node: str
    archive: str
    storage: str
    restore: bool
    force: bool
    unique: bool
    start: bool
    unprivileged: int | None
    options: dict[str, Any] = field(default_factory=dict)
    disks: dict[str, str] = field(default_factory=dict)
    pool: str | None = None
    password: str | None = None
    keys: str | None = None

    @property
    def verb(self) -> str:
        return "restore" if self.restore else "create"


@route("POST", "/nodes/{node}/lxc")
def create_container(call: Call) -> str:
    order = parse_order(call)
    cluster = call.cluster
    _check_target(call, order)
    _check_rights(call, order)
    content = "backup" if order.restore else "vztmpl"
    check_volume_access(cluster, call.user, order.archive, node=order.node, content=content)
    _check_disks(call, order)
    _lock(cluster, order)
    return cluster.start_task(
        node=order.node,
        kind=f"vz{order.verb}",
        label=str(order.vmid),
        user=call.user,
        work=lambda task: work_order(cluster, task, order),
    )


def parse_order(call: Call) -> Order:
    """The request's parts: what is configuration, what are disks, what is neither."""
    options = {key: value for key, value in call.params.items() if key not in NOT_CONFIG}
    storage = str(call.get("storage", "local"))
    disks = {key: str(options.pop(key)) for key in list(options) if DISK.fullmatch(key)}
    for key, value in disks.items():
        if value.replace(".", "", 1).isdigit():
            disks[key] = f"{storage}:{value}"
    return Order(
        vmid=call.vmid,
        node=call.node,
        archive=str(call.params["ostemplate"]),
        storage=storage,
        restore=bool(call.get("restore")),
        force=bool(call.get("force")),
        unique=bool(call.get("unique")),
        start=bool(call.get("start")),
        unprivileged=options.pop("unprivileged", None),
        options={key: value for key, value in options.items() if not key.startswith("unused")},
        disks=disks,
        pool=call.get("pool"),
        password=call.get("password"),
        keys=call.get("ssh-public-keys"),
    )


def _check_target(call: Call, order: Order) -> None:
    cluster = call.cluster
    same = cluster.containers.get(order.vmid)
    if same is None or same.node != order.node or not (order.restore and order.force):
        cluster.check_unused(order.vmid)
    elif same.running:
        raise refuse("can't overwrite running container")
    elif same.config.get("protection"):
        raise refuse(f"unable to restore CT {order.vmid} - protection mode enabled")
    if order.keys is not None and not _are_keys(order.keys):
        raise refuse("SSH public key validation error")
    if order.pool is not None and order.pool not in cluster.pools:
        raise refuse(f"pool '{order.pool}' does not exist")


def _are_keys(text: str) -> bool:
    kinds = ("ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return all(line.startswith(kinds) and len(line.split()) > 1 for line in lines)


def _check_rights(call: Call, order: Order) -> None:
    cluster, user = call.cluster, call.user
    overwrites = order.restore and order.force and order.vmid in cluster.containers
    allowed = (
        may(cluster, user, f"/vms/{order.vmid}", "VM.Allocate")
        or (order.pool and may(cluster, user, f"/pool/{order.pool}", "VM.Allocate"))
        or (overwrites and may(cluster, user, f"/vms/{order.vmid}", "VM.Backup"))
    )
    if not allowed:
        raise forbid()
    unprivileged = order.unprivileged != 0
    guard = Guard(cluster, user, order.vmid, pool=order.pool, unprivileged=unprivileged)
    guard.check_options({}, {**order.options, **order.disks}, [])


def _check_disks(call: Call, order: Order) -> None:
    if order.disks and "rootfs" not in order.disks:
        raise refuse("mount points configured, but 'rootfs' not set - aborting")
    for option, value in sorted(order.disks.items(), reverse=True):
        volume = split_option(option, value)["volume"]
        if get_kind(volume) == "volume":
            _check_storage(call, volume.partition(":")[0])
        elif call.user != ROOT:
            raise refuse("Only root can pass arbitrary filesystem paths.")
    if "rootfs" not in order.disks:
        _check_storage(call, order.storage)


def _check_storage(call: Call, name: str) -> None:
    storage = call.cluster.get_storage(name, call.node)
    if "rootdir" not in storage.content:
        raise bad_params({"storage": f"storage '{name}' does not support container directories"})
    check(call.cluster, call.user, f"/storage/{name}", "Datastore.AllocateSpace")


def _lock(cluster: Cluster, order: Order) -> None:
    """Write the configuration that says: this id is being made."""
    same = cluster.containers.get(order.vmid)
    if same is None:
        cluster.add_container(Container(order.vmid, order.node, {"lock": "create"}))
        return
    if same.lock:
        raise ApiError(500, f"unable to {order.verb} CT {order.vmid} - CT is locked ({same.lock})")
    same.config["lock"] = "create"
    cluster.mark(same)


def work_order(cluster: Cluster, task: Task, order: Order) -> Work:
    """Make the container; when that fails, a new one disappears again and an old one stays as it was."""
    container = cluster.containers[order.vmid]
    fresh = set(container.config) == {"lock"}
    before = {key: value for key, value in container.config.items() if key != "lock"}
    task.recovery = {"vmid": order.vmid, "remove": fresh}
    try:
        yield from cluster.hold_container(task, order.vmid)
        yield from (_restore if order.restore else _create)(cluster, task, order)
    except TaskFailedError:
        _undo(cluster, container, before=before, fresh=fresh)
        raise
    if order.pool:
        cluster.pools[order.pool].vms.append(order.vmid)
        cluster.touch("pools", order.pool)
    if order.start:
        yield from start_container(cluster, task, container)


def _undo(cluster: Cluster, container: Container, *, before: dict[str, Any], fresh: bool) -> None:
    if fresh:
        cluster.remove_container(container.vmid)
        return
    container.config = before
    cluster.mark(container)


def _create(cluster: Cluster, task: Task, order: Order) -> Work:
    template = cluster.find_volume(order.archive, order.node)
    if template is None:
        raise TaskFailedError(f"unable to create CT {order.vmid} - volume '{order.archive}' does not exist")
    disks = order.disks or {"rootfs": f"{order.storage}:4"}
    for number, disk in enumerate(disks.values()):
        new = NEW_DISK.fullmatch(disk.split(",")[0])
        if new and float(new[2]):  # a size of 0 is a directory instead of a volume with a file system
            name = f"{order.vmid}/vm-{order.vmid}-disk-{number}.raw"
            log_new_disk(task, cluster.storages[new[1]], name, int(float(new[2]) * (1 << 30)))
    log_extraction(task, cluster.storages[template.storage], template)
    yield Share(0.5)
    log_bytes_read(task, template)
    options = {key: normalise(cluster, key, value) for key, value in order.options.items()}
    options["unprivileged"] = 1 if order.unprivileged is None else order.unprivileged
    yield Share(0.4)
    unpack_template(cluster, cluster.containers[order.vmid], template, options=options, disks=disks)
    _set_access(cluster, order)
    task.log(f"Detected container architecture: {cluster.containers[order.vmid].config['arch']}")


def _restore(cluster: Cluster, task: Task, order: Order) -> Work:
    task.log(f"recovering backed-up configuration from '{order.archive}'")
    yield Share(0.2)
    archive = cluster.find_volume(order.archive, order.node)
    if archive is None:
        raise TaskFailedError(f"unable to restore CT {order.vmid} - volume '{order.archive}' does not exist")
    check_config(archive, order.vmid)
    task.log(f"restoring '{order.archive}' now..", f"extracting archive '{order.archive}'")
    yield Share(0.6)
    check_data(task, archive, order.vmid)
    options = {key: normalise(cluster, key, value) for key, value in order.options.items()}
    if order.unprivileged is not None:
        options["unprivileged"] = order.unprivileged
    recover_config(
        cluster,
        cluster.containers[order.vmid],
        archive,
        options=options,
        disks=order.disks,
        storage=order.storage,
        unique=order.unique,
    )
    task.log("merging backed-up and given configuration..")


def _set_access(cluster: Cluster, order: Order) -> None:
    guest = cluster.containers[order.vmid].guest
    if guest is not None:
        guest.set_access(password=order.password, keys=order.keys)
