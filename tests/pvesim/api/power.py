"""Start, stop, shutdown, reboot, suspend, resume and destroy."""

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.disks import list_volumes
from tests.pvesim.model.entities import Container, Task
from tests.pvesim.model.errors import TaskFailedError, bad_params, refuse
from tests.pvesim.model.ha import request_state
from tests.pvesim.model.permissions import ROOT
from tests.pvesim.model.router import Call, route
from tests.pvesim.model.running import bring_up, start_container, take_down
from tests.pvesim.model.work import Share, Work

STATUS = "/nodes/{node}/lxc/{vmid}/status"


def find_running(call: Call) -> Container | None:
    """The container if it is on that node and runs."""
    container = call.cluster.containers.get(call.vmid)
    return container if container and container.node == call.node and container.running else None


def find_managed(call: Call) -> Container | None:
    """The container if it is on that node and the HA manager looks after it."""
    container = call.cluster.containers.get(call.vmid)
    if container is None or container.node != call.node or container.ha_seconds is None:
        return None
    return container


def need_running(call: Call, *, kind: str = "CT") -> Container:
    """The container, which must run; a missing one does not run either."""
    container = find_running(call)
    if container is None:
        raise refuse(f"{kind} {call.vmid} not running")
    return container


@route("POST", f"{STATUS}/start")
def start(call: Call) -> str:
    cluster, node, vmid = call.cluster, call.node, call.vmid
    if call.get("skiplock") and call.user != ROOT:
        raise bad_params({"skiplock": "Only root may use this option."})
    if find_running(call):
        raise refuse(f"CT {vmid} already running")
    if managed := find_managed(call):
        return request_state(cluster, managed, kind="hastart", user=call.user)

    def work(task: Task) -> Work:
        yield from cluster.hold_container(task, vmid)
        container = cluster.find_in_task(node, vmid)
        if container.running:
            raise TaskFailedError(f"CT {vmid} already running")
        yield from start_container(cluster, task, container)

    return cluster.start_task(node=node, kind="vzstart", label=str(vmid), user=call.user, work=work)


def _take_down_work(cluster: Cluster, task: Task, node: str, vmid: int) -> Work:
    yield from cluster.hold_container(task, vmid)
    container = cluster.find_in_task(node, vmid)
    if container.lock and container.lock != "backup":
        raise TaskFailedError(f"CT is locked ({container.lock})")
    yield Share(0.5)
    take_down(cluster, cluster.find_in_task(node, vmid))


def _end(call: Call, kind: str) -> str:
    cluster, node, vmid = call.cluster, call.node, call.vmid
    if need_running(call).ha_seconds is not None:
        return request_state(cluster, cluster.containers[vmid], kind="hastop", user=call.user)
    return cluster.start_task(
        node=node, kind=kind, label=str(vmid), user=call.user,
        work=lambda task: _take_down_work(cluster, task, node, vmid),
    )  # fmt: skip


@route("POST", f"{STATUS}/stop")
def stop(call: Call) -> str:
    return _end(call, "vzstop")


@route("POST", f"{STATUS}/shutdown")
def shutdown(call: Call) -> str:
    return _end(call, "vzshutdown")


@route("POST", f"{STATUS}/reboot")
def reboot(call: Call) -> str:
    cluster, node, vmid = call.cluster, call.node, call.vmid
    need_running(call, kind="VM")

    def work(task: Task) -> Work:
        yield from _take_down_work(cluster, task, node, vmid)
        yield Share(0.3)
        bring_up(cluster, cluster.find_in_task(node, vmid))

    return cluster.start_task(node=node, kind="vzreboot", label=str(vmid), user=call.user, work=work)


@route("POST", f"{STATUS}/suspend")
def suspend(call: Call) -> str:
    cluster, node, vmid = call.cluster, call.node, call.vmid
    need_running(call)

    def work(task: Task) -> Work:
        yield Share(0.5)
        task.log(f"lxc-checkpoint: {vmid}: execing criu failed, is it installed?")
        raise TaskFailedError(
            f"command 'lxc-checkpoint -n {vmid} -s -D /var/lib/vz/dump' failed: exit code 1"
        )

    return cluster.start_task(node=node, kind="vzsuspend", label=str(vmid), user=call.user, work=work)


@route("POST", f"{STATUS}/resume")
def resume(call: Call) -> str:
    cluster, node, vmid = call.cluster, call.node, call.vmid
    if find_running(call):
        raise refuse(f"CT {vmid} already running")

    def work(task: Task) -> Work:
        cluster.find_in_task(node, vmid)
        yield Share(0.3)
        raise TaskFailedError(
            f"command 'lxc-checkpoint -r -n {vmid} -D /var/lib/vz/dump' failed: exit code 1"
        )

    return cluster.start_task(node=node, kind="vzresume", label=str(vmid), user=call.user, work=work)


@route("DELETE", "/nodes/{node}/lxc/{vmid}")
def destroy(call: Call) -> str:
    cluster, node, vmid = call.cluster, call.node, call.vmid
    container = cluster.get_container(node, vmid)
    if container.config.get("protection"):
        raise refuse(f"can't remove CT {vmid} - protection mode enabled")
    if container.lock:
        raise refuse(f"CT is locked ({container.lock})")
    if container.running and not call.get("force"):
        raise refuse(f"unable to destroy CT {vmid} - container is running")
    purge, unreferenced = bool(call.get("purge")), bool(call.get("destroy-unreferenced-disks"))
    return cluster.start_task(
        node=node, kind="vzdestroy", label=str(vmid), user=call.user,
        work=lambda task: _destroy_work(
            cluster, task, node=node, vmid=vmid, purge=purge, unreferenced=unreferenced
        ),
    )  # fmt: skip


def _destroy_work(
    cluster: Cluster, task: Task, *, node: str, vmid: int, purge: bool, unreferenced: bool
) -> Work:
    yield from cluster.hold_container(task, vmid)
    container = cluster.find_in_task(node, vmid)
    if container.lock:
        raise TaskFailedError(f"CT is locked ({container.lock})")
    if container.running:
        task.log(f"forced to stop CT {vmid} before destroying!")
        take_down(cluster, container)
    yield Share(0.5)
    if purge:
        task.log(f"purging CT {vmid} from related configurations..")
    cluster.remove_container(vmid, volumes=None if unreferenced else list_volumes(cluster, container))
