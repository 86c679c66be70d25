"""New containers."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from services.common.core.errors import invalid_field
from services.common.core.text import make_printable
from services.inventory.domain.errors import (
    ContainerCreatingError,
    CreationBrokenError,
    ProxmoxRefusedError,
    VmidTakenError,
)
from services.inventory.domain.links import NetworkSegment
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.container_spec import ContainerSpec
from services.inventory.proxmox.containers import ContainerRef, Containers, ProxmoxTask, View, act
from services.inventory.proxmox.marks import TAG, find_owner, render_description
from services.inventory.proxmox.networks import Networks
from services.inventory.proxmox.storages import choose_storage
from services.inventory.proxmox.tasks import has_ended
from services.inventory.proxmox.templates import get_template
from services.inventory.proxmox.ways import Ways

_CREATING = ("vzcreate",)
_OCI_WAIT_S = 15.0  # callers wait a minute for an answer; a large image takes longer and is asked for again
UNMANAGED = "unmanaged"
"""The `ostype` with which Proxmox configures nothing inside: images without a distribution need it."""
_UNKNOWN_WARNING = (
    "Proxmox does not know the distribution of the image: it configures nothing inside (ostype unmanaged)"
)
_UNKNOWN_SYSTEM = re.compile(
    r"unable to detect OS distribution|unable to read version info|unsupported [\w ]+ (version|release)"
)


@dataclass(frozen=True)
class Means:
    """What a creation needs besides Proxmox: the way in that the container is made for, and its address."""

    ways: Ways
    networks: Networks


async def create_container(
    containers: Containers, means: Means, ref: ContainerRef, *, owner: str, wanted: ContainerSpec
) -> ProxmoxTask:
    """Create a container with the owner's marks; one that is there with them is left alone.

    Where the console is the only way in, it gets one that asks for no login.

    Raises:
        VmidTakenError: the id belongs to somebody else by now; reserve another.
        CreationBrokenError: an earlier creation left a wreck; destroy it first.
        TemplateDownloadingError: ask again.
        DomainError: Proxmox refused.
    """
    if not wanted.oci:
        return await _start_creation(containers, means, ref, owner=owner, wanted=wanted)
    task = await _create_of_image(containers, means, ref, owner=owner, wanted=wanted)
    if not wanted.ostype and await _is_unknown_system(containers, ref, task):
        known = replace(wanted, ostype=UNMANAGED)
        task = await _create_of_image(containers, means, ref, owner=owner, wanted=known)
        task = replace(task, warnings=(*task.warnings, _UNKNOWN_WARNING))
    return task


async def _create_of_image(
    containers: Containers, means: Means, ref: ContainerRef, *, owner: str, wanted: ContainerSpec
) -> ProxmoxTask:
    task = await _start_creation(containers, means, ref, owner=owner, wanted=wanted)
    if task.upid:
        client = await containers.fleet.get_client(ref.host_id)
        if not await has_ended(client, task.node, task.upid, wait_s=_OCI_WAIT_S):
            raise ContainerCreatingError(f"container {ref.vmid} is still being created", retry_after=2)
    return await _set_environment(containers, ref, task, wanted=wanted)


async def _is_unknown_system(containers: Containers, ref: ContainerRef, task: ProxmoxTask) -> bool:
    """Whether the creation failed because Proxmox cannot tell the distribution of the image."""
    if not task.upid:
        return False
    client = await containers.fleet.get_client(ref.host_id)
    status = await client.get(f"/nodes/{task.node}/tasks/{task.upid}/status")
    return bool(_UNKNOWN_SYSTEM.search(str(status.get("exitstatus") or "")))


async def _failed_unknown(client: ProxmoxClient, ref: ContainerRef) -> bool:
    """Whether the last creation under this id failed for that reason, when nobody followed it to its end."""
    found = await client.get(f"/nodes/{ref.node}/tasks", vmid=ref.vmid, typefilter="vzcreate", limit=1)
    return any(_UNKNOWN_SYSTEM.search(str(one.get("status") or "")) for one in found)


async def _set_environment(
    containers: Containers, ref: ContainerRef, task: ProxmoxTask, *, wanted: ContainerSpec
) -> ProxmoxTask:
    """Set what an image overwrites during the creation; a creation that failed says so through its task."""
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
    containers: Containers, means: Means, ref: ContainerRef, *, owner: str, wanted: ContainerSpec
) -> ProxmoxTask:
    view = await containers.find(ref)
    if view is not None:
        return await resume_creation(containers, view, owner, types=_CREATING)
    await containers.check_reserved(ref, owner)
    client = await containers.fleet.get_client(ref.host_id)
    cidr, gateway = await means.networks.give_address(
        client,
        owner,
        wanted=wanted.network_cidr,
        gateway=wanted.gateway,
        place=NetworkSegment(wanted.bridge, wanted.vlan_tag or 0),
    )
    wanted = replace(wanted, network_cidr=cidr, gateway=gateway)
    if wanted.oci and not wanted.ostype and await _failed_unknown(client, ref):
        wanted = replace(wanted, ostype=UNMANAGED)
    options = await _build_options(client, ref, owner, wanted=wanted)
    if wanted.docker and (await means.ways.find_way(client, ref.node)).mode == "console":
        options["cmode"] = "shell"
    new = View(client, ref.node, ref.vmid, {})
    try:
        return await act(new, lambda: client.post(f"/nodes/{ref.node}/lxc", **options), types=())
    except ProxmoxRefusedError as error:
        if "already exists" not in error.message:
            raise
        raced = await containers.find(ref)
        if raced is None:
            raise VmidTakenError(f"the container id {ref.vmid} is taken") from error
        return await resume_creation(containers, raced, owner, types=_CREATING)


async def resume_creation(
    containers: Containers, view: View, owner: str, *, types: Collection[str], source: View | None = None
) -> ProxmoxTask:
    """Say what becomes of a container that is there before it was created: it is done, under way, or in the way.

    While it is created it carries no marks, so whose it is shows when that has ended. A task that runs may be that of
    somebody else who chose the same id: it is not followed.

    Args:
        containers: where reservations are asked.
        view: what is there.
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


def _is_of_user(task: Mapping[str, Any], client: ProxmoxClient) -> bool:
    """Whether a task was begun by the user that we sign in as, with whichever of its tokens."""
    user = str(task.get("user") or client.access.user)
    return user.split("!", maxsplit=1)[0] == client.access.user.split("!")[0]


async def _build_options(
    client: ProxmoxClient, ref: ContainerRef, owner: str, *, wanted: ContainerSpec
) -> dict[str, Any]:
    storage = await choose_storage(client, ref.node, "rootdir", wanted=wanted.storage)
    options: dict[str, Any] = {
        "vmid": ref.vmid,
        "ostemplate": await get_template(client, ref.node, wanted.template),
        "hostname": wanted.hostname,
        "memory": wanted.memory_mb,
        "swap": wanted.swap_mb,
        "cores": wanted.cores,
        "rootfs": f"{storage}:{wanted.disk_gb}",
        "net0": render_network(wanted),
        "unprivileged": 1,
        "onboot": 1,
        "tags": TAG,
        "description": render_description(owner, note=make_printable(wanted.note)),
    }
    if wanted.ostype:
        options["ostype"] = wanted.ostype
    if wanted.nameservers:
        options["nameserver"] = " ".join(wanted.nameservers)
    if wanted.password and not wanted.oci:
        options["password"] = wanted.password
    if wanted.docker:
        options["features"] = "nesting=1,keyctl=1" if client.access.is_full_root else "nesting=1"
    for number, mount in enumerate(wanted.mounts):
        path = _check_part("mounts.path", mount.path)
        options[f"mp{number}"] = f"{storage}:{mount.size_gb},mp={path},backup={int(mount.backup)}"
    return options


def _check_part(field_name: str, value: str) -> str:
    """A value that stays one part of an option like `name=eth0,ip=…`.

    Raises:
        InvalidError: it would begin another part.
    """
    if re.search(r"[,=\x00-\x1f\x7f]", value):
        raise invalid_field(field_name, f"{value[:80]!r} has a character that ends a part of an option")
    return value


def render_network(wanted: ContainerSpec) -> str:
    """The option net0: DHCP unless an address is given.

    Raises:
        InvalidError: the address would be more than an address.
    """
    parts = ["name=eth0", f"bridge={wanted.bridge or 'vmbr0'}"]
    if not wanted.network_cidr or wanted.network_cidr == "dhcp":
        parts.append("ip=dhcp")
    else:
        cidr = _check_part("network_cidr", wanted.network_cidr)
        family = "ip6" if ":" in cidr else "ip"
        parts.append(f"{family}={cidr}")
        if wanted.gateway:
            parts.append(f"{'gw6' if family == 'ip6' else 'gw'}={wanted.gateway}")
    if wanted.oci:
        parts.append("host-managed=1")  # an application's image brings no DHCP client
    if wanted.vlan_tag is not None:
        parts.append(f"tag={wanted.vlan_tag}")
    return ",".join(parts)


def merge_environment(
    config: Mapping[str, Any], environment: Mapping[str, str], *, dropped: Collection[str] = ()
) -> str:
    """The option env, NUL-separated as Proxmox keeps it: what is there without `dropped`, changed by `environment`.

    Raises:
        InvalidError: an entry would begin another entry, or another line of the configuration.
    """
    for name, value in environment.items():
        if re.search(r"[\x00-\x1f\x7f=]", name) or re.search(r"[\x00-\x1f\x7f]", value):
            raise invalid_field(f"environment.{name[:80]!r}", "holds a control character")
    given = [entry.partition("=") for entry in str(config.get("env") or "").split("\0") if entry]
    merged = {name: value for name, _, value in given if name not in dropped} | dict(environment)
    return "\0".join(f"{name}={value}" for name, value in merged.items())
