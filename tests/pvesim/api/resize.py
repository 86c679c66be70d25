"""PUT resize: disks grow, they never shrink."""

from tests.pvesim.api.config import check_digest, check_free
from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.configs import join_disk, list_disks
from tests.pvesim.model.disks import find_disk
from tests.pvesim.model.entities import Container, Task, Volume
from tests.pvesim.model.errors import ApiError, refuse
from tests.pvesim.model.properties import parse_size, render_size
from tests.pvesim.model.router import Call, route
from tests.pvesim.model.schema import MISSING
from tests.pvesim.model.work import Share, Work

BLOCK = 4096
GROWTH_FAILED = (
    "Failed to update the container's filesystem: command 'unshare -m -- sh -c 'mount --make-rprivate / && "
    "mount /dev/loop15 /tmp && resize2fs /dev/loop15'' failed: exit code 1"
)


@route("PUT", "/nodes/{node}/lxc/{vmid}/resize")
def resize(call: Call) -> str:
    cluster, node, vmid = call.cluster, call.node, call.vmid
    container = cluster.get_container(node, vmid)
    check_free(container)
    check_digest(container, call.get("digest"))
    disk, size = str(call.params["disk"]), str(call.params["size"])
    values = dict(list_disks(container.config)).get(disk)
    if values is None:
        missing = {"volume": MISSING} if disk == "rootfs" else {"mp": MISSING, "volume": MISSING}
        raise ApiError(500, "format error", errors=missing)
    old = parse_size(values.get("size", "0"))
    new = parse_size(size.removeprefix("+")) + (old if size.startswith("+") else 0)
    if new < old:
        raise refuse("unable to shrink disk size")
    if new == old:
        raise refuse("disk is already at specified size")

    def work(task: Task) -> Work:
        yield from cluster.hold_container(task, vmid)
        yield Share(0.5)
        current = cluster.find_in_task(node, vmid)
        options = dict(list_disks(current.config))[disk]
        current.config[disk] = join_disk({**options, "size": render_size(new)})
        volume = find_disk(cluster, options, node)
        if volume:
            _grow(cluster, task, current, volume=volume, size=new)
        cluster.mark(current)

    return cluster.start_task(node=node, kind="resize", label=str(vmid), user=call.user, work=work)


def _grow(cluster: Cluster, task: Task, container: Container, *, volume: Volume, size: int) -> None:
    """Enlarge a volume, then its file system; a file system that does not grow is only a line in the log."""
    grows = "resize2fs" not in cluster.nodes[container.node].missing
    task.log("Image resized.", "resize2fs 1.47.2 (1-Jan-2025)")
    if container.running:
        task.log("Filesystem at /dev/loop15 is mounted on /tmp; on-line resizing required")
    if grows:
        task.log(f"The filesystem on /dev/loop15 is now {size // BLOCK} (4k) blocks long.")
    else:
        task.log("resize2fs: Permission denied to resize filesystem", GROWTH_FAILED, "")
        volume.filesystem = volume.filesystem or volume.size
    volume.size = size
    if grows:
        volume.filesystem = 0
    cluster.touch("volumes", volume.key)
