"""ConfigureContainer."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from services.inventory.domain.containers import ContainerRef, ProxmoxTask, check_unlocked
from services.inventory.domain.disks import read_disk_gb
from services.inventory.domain.patches import ContainerOptions
from services.inventory.proxmox.containers import ContainerLookup, act, put_config
from services.inventory.proxmox.creation_options import merge_environment

_OPTIONS = {"memory_mb": "memory", "swap_mb": "swap"}  # the others have Proxmox's own names


async def configure_container(
    containers: ContainerLookup,
    ref: ContainerRef,
    *,
    owner: str,
    changes: ContainerOptions,
    disk_gb: int | None = None,
    environment: Mapping[str, str] | None = None,
    dropped_variables: Collection[str] = (),
) -> ProxmoxTask:
    """Change the configuration of an owner's container, and grow the root disk when it is smaller than requested.

    Args:
        containers: of all hosts.
        ref: the container.
        owner: whose it is.
        changes: of its options.
        disk_gb: least size of the root disk in GiB; disks never shrink.
        environment: variables to set.
        dropped_variables: names of variables to remove.

    Returns:
        The task that grows the disk; all else is done at once.

    Raises:
        NotOursError: it does not carry the owner's marks.
        ContainerLockedError: Proxmox works on it.
    """
    view = await containers.get_owned(ref, owner)
    wanted = {_OPTIONS.get(name, name): value for name, value in changes.given.items()}
    # Options that have the value already are not sent: Proxmox would count them as a change.
    options = {name: value for name, value in wanted.items() if str(view.config.get(name, "")) != str(value)}
    if environment or dropped_variables:
        options["env"] = merge_environment(view.config, environment or {}, dropped=dropped_variables)
    if options:
        check_unlocked(view)
        await put_config(view, options)
    if disk_gb is None or read_disk_gb(view.config) >= disk_gb:
        return view.done()
    if task := view.find_task(("resize",)):
        return task
    check_unlocked(view)
    return await act(
        view,
        lambda: view.client.put(f"{view.path}/resize", disk="rootfs", size=f"{disk_gb}G"),
        types=("resize",),
    )
