"""Power states and the end of an owner's containers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from services.inventory.domain.containers import ContainerRef, ProxmoxTask, View, check_unlocked
from services.inventory.domain.errors import (
    ContainerLockedError,
    ContainerRunningError,
    ContainerStoppedError,
    NotOursError,
    ProxmoxRefusedError,
)
from services.inventory.domain.interfaces import ContainerAccess
from services.inventory.domain.restore_tests import is_test_owner
from services.inventory.proxmox.containers import ContainerLookup, act
from services.inventory.proxmox.copy_networks import readdress_copy
from services.inventory.proxmox.marks import check_owner, find_owner
from services.inventory.proxmox.networks import Networks

_SHUTDOWN_S = 30  # until a container that does not shut down by itself is stopped by force
_STARTING = ("vzstart", "vzreboot", "hastart")
_STOPPING = ("vzstop", "vzshutdown", "hastop")


async def start_container(
    containers: ContainerLookup, ref: ContainerRef, *, owner: str, networks: Networks
) -> ProxmoxTask:
    """Start a container of `owner`; one that runs is left alone.

    Its networks stay as they are, unless it is a copy that starts for the first time, which gets addresses of its own. An address that another guest of the host has too is a warning of the task.

    Raises:
        CopyAddressError: a copy cannot get an address of its own.
    """
    view = await containers.get_owned(ref, owner)
    if under_way := view.find_task(_STARTING):
        return under_way
    _refuse_while(view, _STOPPING, what="stopped")
    if view.is_running:
        copies = await containers.vmids.list_copies(ref.host_id)
        return replace(view.done(), warnings=tuple(await networks.list_conflicts(view, unstarted=copies)))
    check_unlocked(view)
    # A test container is isolated: an address of its original on an isolated bridge is in nobody's way.
    warnings = (
        []
        if is_test_owner(owner)
        else await _prepare_networks(containers, view, owner=owner, networks=networks)
    )
    try:
        task = await act(
            view, lambda: view.client.post(f"{view.path}/status/start"), types=("vzstart", "hastart")
        )
        return replace(task, warnings=tuple(warnings))
    except ProxmoxRefusedError as error:
        if "already running" in error.message:
            return view.done()
        raise


async def _prepare_networks(
    containers: ContainerLookup, view: View, *, owner: str, networks: Networks
) -> list[str]:
    """Give a copy addresses of its own, record the container's addresses, and return warnings."""
    host_id = view.client.access.host_id
    warnings: list[str] = []
    if await containers.vmids.is_copy(host_id, owner):
        view, warnings = await readdress_copy(networks, view, owner=owner)
        # After the change: a crash before this only repeats it, before the first start.
        await containers.vmids.mark_copy(host_id, owner, is_copy=False)
    await networks.note_addresses(view, owner)
    copies = await containers.vmids.list_copies(host_id)
    return warnings + await networks.list_conflicts(view, unstarted=copies)


async def stop_container(
    containers: ContainerLookup, ref: ContainerRef, *, owner: str, timeout_s: int = 0
) -> ProxmoxTask:
    """Shut a container of `owner` down, by force when it does not end in time; a stopped one is left alone."""
    view = await containers.get_owned(ref, owner)
    if under_way := view.find_task(_STOPPING):
        return under_way
    _refuse_while(view, _STARTING, what="started")
    if not view.is_running:
        return view.done()
    check_unlocked(view)
    wait = timeout_s or _SHUTDOWN_S
    try:
        return await act(
            view,
            lambda: view.client.post(f"{view.path}/status/shutdown", timeout=wait, forceStop=1),
            types=_STOPPING,
        )
    except ProxmoxRefusedError as error:
        if "not running" in error.message:
            return view.done()
        raise


async def reboot_container(
    containers: ContainerLookup, ref: ContainerRef, *, owner: str, timeout_s: int = 0
) -> ProxmoxTask:
    """Reboot a running container of `owner`.

    Raises:
        ContainerStoppedError: it does not run.
    """
    view = await containers.get_owned(ref, owner)
    if under_way := view.find_task(("vzreboot",)):
        return under_way
    _refuse_while(view, ("vzstart", *_STOPPING), what="started or stopped")
    if not view.is_running:
        raise ContainerStoppedError(f"container {ref.vmid} does not run")
    check_unlocked(view)
    return await act(
        view,
        lambda: view.client.post(f"{view.path}/status/reboot", timeout=timeout_s or _SHUTDOWN_S),
        types=("vzreboot",),
    )


async def destroy_container(
    containers: ContainerLookup, ref: ContainerRef, *, owner: str, access: ContainerAccess
) -> ProxmoxTask:
    """Destroy a stopped container of `owner`; one that is gone is done.

    A creation that died leaves a container with a lock and without marks. It counts as the owner's when the id is
    reserved for the owner and nothing runs. The container of a restore test is destroyed also while it runs.

    Raises:
        ContainerRunningError: it runs.
        NotOursError: it is not the owner's.
    """
    view = await containers.find(ref)
    if view is None:
        return ProxmoxTask(ref.host_id, ref.node)
    if under_way := view.find_task(("vzdestroy",)):
        return under_way
    if await _is_left_behind(containers, view, owner=owner):
        # Checked again afterwards, since Proxmox may remove the rest by itself once it is unlocked.
        if view.lock:
            await access.unlock(view)
        if await containers.find(ref) is None:
            return view.done()
    else:
        check_owner(view.config, owner, vmid=ref.vmid)
        check_unlocked(view)
    is_test = is_test_owner(owner)
    if view.is_running and not is_test:
        raise ContainerRunningError(f"container {ref.vmid} runs; stop it first")
    try:
        return await act(
            view,
            lambda: view.client.delete(view.path, purge=1, **({"force": 1} if is_test else {})),
            types=("vzdestroy",),
        )
    except ProxmoxRefusedError as error:
        if "does not exist" in error.message:
            return view.done()
        raise


async def _is_left_behind(containers: ContainerLookup, view: View, *, owner: str) -> bool:
    if not view.is_unfinished or find_owner(view.config) not in (None, owner):
        return False
    if view.lock == "disk" and "rootfs" in view.config:
        return False  # a whole container that is, or was, being copied: its lock is not of its creation
    holder = await containers.vmids.find_owner(view.client.access.host_id, view.vmid)
    if holder != owner:
        raise NotOursError(f"container {view.vmid} is being created by somebody else")
    if view.tasks or await _is_cloned_on(view):
        raise ContainerLockedError(f"container {view.vmid} is still being created", retry_after=2)
    return True


async def _is_cloned_on(view: View) -> bool:
    """Whether a clone runs on the node: its task bears its source's id, so it may be what makes this container."""
    path = f"/nodes/{view.node}/tasks"
    found = await view.client.get(path, source="active", typefilter="vzclone", limit=1)
    return bool(found)


def _refuse_while(view: View, types: Collection[str], *, what: str) -> None:
    """Refuse to act while such a task runs: the status that was read will not last."""
    if view.find_task(types):
        raise ContainerLockedError(f"container {view.vmid} is being {what}", retry_after=1)
