"""CreateContainer, and what a repeated creation, clone or restore finds."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from services.inventory.domain.container_spec import ContainerSpec
from services.inventory.domain.containers import ContainerRef, ProxmoxTask, View
from services.inventory.domain.errors import (
    ContainerCreatingError,
    CreationBrokenError,
    ProxmoxRefusedError,
    VmidTakenError,
)
from services.inventory.domain.interfaces import ContainerAccess
from services.inventory.domain.links import NetworkSegment
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.proxmox.containers import ContainerLookup, act
from services.inventory.proxmox.creation_options import build_options, merge_environment
from services.inventory.proxmox.marks import find_owner
from services.inventory.proxmox.networks import Networks
from services.inventory.proxmox.tasks import has_ended

_CREATING = ("vzcreate",)
_OCI_WAIT_S = 15.0  # callers wait a minute for an answer; for a large image they repeat the request
UNMANAGED = "unmanaged"
"""The `ostype` with which Proxmox configures nothing inside: images without a distribution need it."""
_UNKNOWN_WARNING = (
    "Proxmox does not know the distribution of the image: it configures nothing inside (ostype unmanaged)"
)
_UNKNOWN_SYSTEM = re.compile(
    r"unable to detect OS distribution|unable to read version info|unsupported [\w ]+ (version|release)"
)


@dataclass(frozen=True)
class CreationContext:
    """Dependencies of a creation besides Proxmox: the access that the container is made for, and its address."""

    access: ContainerAccess
    networks: Networks


async def create_container(
    containers: ContainerLookup,
    context: CreationContext,
    *,
    ref: ContainerRef,
    owner: str,
    wanted: ContainerSpec,
) -> ProxmoxTask:
    """Create a container with the owner's marks; one that is there with them is left alone.

    Where commands get in only by the console, it gets one that requires no login.

    Raises:
        VmidTakenError: the id belongs to somebody else by now; reserve another.
        CreationBrokenError: an earlier creation left a wreck; destroy it first.
        TemplateDownloadingError: ask again.
        DomainError: Proxmox refused.
    """
    if not wanted.oci:
        return await _start_creation(containers, context, ref=ref, owner=owner, wanted=wanted)
    task = await _create_of_image(containers, context, ref=ref, owner=owner, wanted=wanted)
    if not wanted.ostype and await _is_unknown_system(containers, ref, task=task):
        # The failed creation left nothing: Proxmox removes what it made.
        known = replace(wanted, ostype=UNMANAGED)
        task = await _create_of_image(containers, context, ref=ref, owner=owner, wanted=known)
        task = replace(task, warnings=(*task.warnings, _UNKNOWN_WARNING))
    return task


async def _create_of_image(
    containers: ContainerLookup,
    context: CreationContext,
    *,
    ref: ContainerRef,
    owner: str,
    wanted: ContainerSpec,
) -> ProxmoxTask:
    task = await _start_creation(containers, context, ref=ref, owner=owner, wanted=wanted)
    if task.upid:
        client = await containers.fleet.get_client(ref.host_id)
        if not await has_ended(client, task.node, upid=task.upid, wait_s=_OCI_WAIT_S):
            raise ContainerCreatingError(f"container {ref.vmid} is still being created", retry_after=2)
    return await _set_environment(containers, ref, task=task, wanted=wanted)


async def _is_unknown_system(containers: ContainerLookup, ref: ContainerRef, *, task: ProxmoxTask) -> bool:
    """Whether the creation failed because Proxmox cannot tell the distribution of the image."""
    if not task.upid:
        return False
    client = await containers.fleet.get_client(ref.host_id)
    status = await client.get(f"/nodes/{task.node}/tasks/{task.upid}/status")
    return bool(_UNKNOWN_SYSTEM.search(str(status.get("exitstatus") or "")))


async def _failed_unknown(client: ProxmoxApi, ref: ContainerRef) -> bool:
    """Whether the last creation under this id failed for that reason, when no caller followed it to its end."""
    # The caller may have been restarted in between, and a second attempt would fail in the same way minutes later.
    found = await client.get(f"/nodes/{ref.node}/tasks", vmid=ref.vmid, typefilter="vzcreate", limit=1)
    return any(_UNKNOWN_SYSTEM.search(str(one.get("status") or "")) for one in found)


async def _set_environment(
    containers: ContainerLookup, ref: ContainerRef, *, task: ProxmoxTask, wanted: ContainerSpec
) -> ProxmoxTask:
    """Set what an image overwrites during the creation; of a creation that failed, the task has the reason."""
    if not (wanted.environment or wanted.entrypoint):
        return task
    view = await containers.find(ref)
    if view is None:
        return task
    options: dict[str, Any] = {"env": merge_environment(view.config, wanted.environment)}
    if wanted.entrypoint:
        options["entrypoint"] = wanted.entrypoint
    await view.client.put(f"{view.path}/config", **options)
    return task


async def _start_creation(
    containers: ContainerLookup,
    context: CreationContext,
    *,
    ref: ContainerRef,
    owner: str,
    wanted: ContainerSpec,
) -> ProxmoxTask:
    view = await containers.find(ref)
    if view is not None:
        return await resume_creation(containers, view, owner=owner, types=_CREATING)
    await containers.check_reserved(ref, owner)
    client = await containers.fleet.get_client(ref.host_id)
    cidr, gateway = await context.networks.give_address(
        client,
        owner,
        wanted=wanted.network_cidr,
        gateway=wanted.gateway,
        place=NetworkSegment(wanted.bridge, wanted.vlan_tag or 0),
    )
    wanted = replace(wanted, network_cidr=cidr, gateway=gateway)
    if wanted.oci and not wanted.ostype and await _failed_unknown(client, ref):
        wanted = replace(wanted, ostype=UNMANAGED)
    options = await build_options(client, ref, owner=owner, wanted=wanted)
    # Only the commands of Docker's installation need access without a login.
    if wanted.docker and (await context.access.find_route(client, ref.node)).mode == "console":
        options["cmode"] = "shell"
    new = View(client, ref.node, ref.vmid, {})
    try:
        return await act(new, lambda: client.post(f"/nodes/{ref.node}/lxc", **options), types=())
    except ProxmoxRefusedError as error:
        if "already exists" not in error.message:
            raise
        # Another request of ours, repeated while the first was under way, or somebody else's with the same id.
        raced = await containers.find(ref)
        if raced is None:
            raise VmidTakenError(f"the container id {ref.vmid} is taken") from error
        return await resume_creation(containers, raced, owner=owner, types=_CREATING)


async def resume_creation(
    containers: ContainerLookup, view: View, *, owner: str, types: Collection[str], source: View | None = None
) -> ProxmoxTask:
    """Decide about a container that exists before its creation: it is complete, being created, or another one.

    While it is created it has no marks, so its owner is known only afterwards. A running task may be that of somebody
    else who chose the same id: it is not followed.

    Args:
        containers: of all hosts, with the reservations of their ids.
        view: the container.
        owner: who wants to create it.
        types: of the task that would create it.
        source: the container whose task that is, when it is copied from one.

    Raises:
        VmidTakenError: it is somebody else's.
        ContainerCreatingError: it is being created, by us or by another one with our user; ask again.
        CreationBrokenError: it is what an own creation left when it was broken off.
    """
    found = find_owner(view.config)
    if found == owner and not view.is_unfinished:
        return view.done()
    holder = await containers.vmids.find_owner(view.client.access.host_id, view.vmid)
    if found not in (None, owner) or not view.is_unfinished or holder != owner:
        raise VmidTakenError(
            f"the container id {view.vmid} belongs to {found or 'a container without marks'}"
        )
    for place in (view, source) if source else (view,):
        for task in place.tasks:
            if task.get("type") not in types:
                continue
            if not _is_of_user(task, place.client):
                raise VmidTakenError(f"the container id {view.vmid} was taken by {task.get('user')}")
            raise ContainerCreatingError(f"container {view.vmid} is being created", retry_after=2)
    raise CreationBrokenError(
        f"the creation of container {view.vmid} was broken off; destroy what is left and create it again"
    )


def _is_of_user(task: Mapping[str, Any], client: ProxmoxApi) -> bool:
    """Whether a task was begun by the user of the credentials, with any of its tokens."""
    user = str(task.get("user") or client.access.user)
    return user.split("!", maxsplit=1)[0] == client.access.user.split("!")[0]
