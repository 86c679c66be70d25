"""RestoreContainer: over the container that is there, or as a new one.

Every disk is named in the request: Proxmox makes those that are not named on one default storage.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from services.inventory.domain.container_spec import RestoredNetwork
from services.inventory.domain.containers import ContainerRef, ProxmoxTask, View
from services.inventory.domain.disks import (
    check_host_paths,
    choose_storage,
    find_free_mount,
    find_unarchived,
    list_wanted,
    parse_disks,
)
from services.inventory.domain.errors import (
    ContainerElsewhereError,
    ContainerRunningError,
    StorageNotFoundError,
    VolumesNotArchivedError,
)
from services.inventory.domain.interfaces import ContainerScanner, HostStore
from services.inventory.domain.links import NetworkSegment, split_options
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.proxmox.archives import read_configuration
from services.inventory.proxmox.containers import ContainerLookup, act
from services.inventory.proxmox.copy_networks import list_link_options
from services.inventory.proxmox.creation_options import render_network
from services.inventory.proxmox.marks import TAG, check_owner, render_description
from services.inventory.proxmox.networks import Networks
from services.inventory.proxmox.storages import list_storages
from services.inventory.usecases.containers import find_owned_containers
from services.inventory.usecases.create_container import resume_creation

_RESTORING = ("vzrestore", "vzcreate")
_OF_APP = ("memory", "swap", "cores")  # as they are now; the archive may be older than their last change


async def restore_container(
    containers: ContainerLookup,
    ref: ContainerRef,
    *,
    owner: str,
    archive: str,
    beside: bool,
    hostname: str,
    storage: str,
    lose_volumes: Collection[str],
    hosts: HostStore,
    scanner: ContainerScanner,
    networks: Networks,
    network: RestoredNetwork | None = None,
) -> ProxmoxTask:
    """Overwrite the owner's stopped container with an archive, or make a new one of it with the owner's marks.

    A container that an earlier restore lost is made anew under its id, unless another one carries the owner's marks.
    Each disk goes to the storage that it has now, else to `storage` (the root disk), else to the one it had in the
    archive.

    Raises:
        ContainerElsewhereError: there is none, and another one carries the owner's marks.
        ContainerRunningError: what would be overwritten runs.
        VolumesNotArchivedError: it has volumes that are not in the archive, nor named by `lose_volumes`.
        VmidTakenError: there is none, and its id belongs to somebody else.
        CreationBrokenError: an earlier restore was broken off; destroy what it left.
    """
    view = await containers.find(ref)
    if view is not None and (task := view.find_task(_RESTORING)):
        return task
    if view is not None and (beside or view.is_unfinished):
        return await resume_creation(containers, view, owner=owner, types=_RESTORING)
    if view is None:
        for other in await find_owned_containers(
            hosts, scanner, owner=owner, host_id=ref.host_id, hostname=hostname
        ):
            raise ContainerElsewhereError(
                f"container {other.vmid} of {other.host_name} carries the mark of {owner} already, so that no second one "
                "is made; take its mark off in Proxmox, or have it destroyed as a duplicate"
            )
        client = await containers.fleet.get_client(ref.host_id)
        saved = await read_configuration(client, archive)
        links: dict[str, str] = {}
        # A restore that was lost gets its networks from the archive; a copy of it gets other addresses when it starts.
        if beside and network is not None:
            await containers.check_reserved(ref, owner)
            links = await _render_networks(networks, client, owner=owner, wanted=network, saved=saved)
        options = {
            "ostemplate": archive,
            "hostname": hostname or None,
            "unique": int(beside and not links),
            **links,
        }
        return await _restore_anew(
            containers, ref, owner=owner, options=options, saved=saved, storage=storage
        )
    check_owner(view.config, owner, vmid=ref.vmid)
    return await _restore_over(view, archive=archive, storage=storage, lose_volumes=lose_volumes)


async def _restore_over(
    view: View, *, archive: str, storage: str, lose_volumes: Collection[str]
) -> ProxmoxTask:
    check_host_paths(view.config, may_restore=view.client.access.is_full_root)
    saved = await read_configuration(view.client, archive)
    lost = [one for one in find_unarchived(view.config, saved) if one.key not in lose_volumes]
    if lost:
        raise VolumesNotArchivedError(
            f"restoring {archive} would destroy volumes of container {view.vmid} that it does not have: "
            f"{', '.join(one.describe() for one in lost)}"
        )
    if view.is_running:  # checked last, so that no app is stopped for a restore that is refused
        raise ContainerRunningError(f"container {view.vmid} runs; stop it first")
    options = {
        "vmid": view.vmid,
        "ostemplate": archive,
        "restore": 1,
        "force": 1,
        "description": view.config.get("description"),
        "tags": view.config.get("tags"),
        **{name: view.config.get(name) for name in _OF_APP},
        **list_link_options(view.config),
        **await _lay_out(view.client, view.node, saved=saved, current=view.config, storage=storage),
    }
    path = f"/nodes/{view.node}/lxc"
    return await act(view, lambda: view.client.post(path, **options), types=_RESTORING)


async def _restore_anew(
    containers: ContainerLookup,
    ref: ContainerRef,
    *,
    owner: str,
    options: Mapping[str, Any],
    saved: Mapping[str, Any],
    storage: str,
) -> ProxmoxTask:
    await containers.check_reserved(ref, owner)
    client = await containers.fleet.get_client(ref.host_id)
    request = {
        "vmid": ref.vmid,
        "restore": 1,
        "description": render_description(owner),
        "tags": TAG,
        **options,
        **await _lay_out(client, ref.node, saved=saved, current={}, storage=storage),
    }
    if options["unique"]:
        await containers.vmids.mark_copy(ref.host_id, owner, is_copy=True)
    new = View(client, ref.node, ref.vmid, {})
    return await act(new, lambda: client.post(f"/nodes/{ref.node}/lxc", **request), types=_RESTORING)


async def _render_networks(
    networks: Networks,
    client: ProxmoxApi,
    *,
    owner: str,
    wanted: RestoredNetwork,
    saved: Mapping[str, Any],
) -> dict[str, Any]:
    """Build the options of a container of another platform: one network device of its own, the others unplugged.

    The bridges and addresses of the archive are those of the network that it comes from.
    """
    place = NetworkSegment(wanted.bridge, wanted.vlan_tag or 0)
    cidr, gateway = await networks.give_address(
        client, owner, wanted=wanted.network_cidr, gateway=wanted.gateway, place=place
    )
    wanted = replace(wanted, network_cidr=cidr, gateway=gateway)
    unplugged = {name: text for name, text in list_link_options(saved).items() if name != "net0"}
    return {
        **{
            name: f"name={split_options(text).get('name', name.replace('net', 'eth'))},bridge={wanted.bridge or 'vmbr0'},link_down=1"
            for name, text in unplugged.items()
        },
        "net0": render_network(wanted),
        "nameserver": " ".join(wanted.nameservers) or None,
        # A protected container could not be destroyed again, and apps come back with their node.
        "protection": 0,
        "onboot": 1,
    }


async def _lay_out(
    client: ProxmoxApi,
    node: str,
    *,
    saved: Mapping[str, Any],
    current: Mapping[str, Any],
    storage: str,
) -> dict[str, str]:
    """Build the options that name every disk: those of the archive, and those that the container has besides.

    A disk is as large as the larger of the two, as the app may have grown since.
    """
    names = [str(one["storage"]) for one in await list_storages(client, node, content="rootdir")]
    if not names:
        raise StorageNotFoundError(f"node {node} has no storage for rootdir")
    there = {one.path: one for one in parse_disks(current) if one.path}
    archived = [one for one in parse_disks(saved) if one.path and one.is_volume]
    options: dict[str, str] = {}
    for one in archived:
        same = there.pop(one.path, None)
        if current and same is None and not one.is_archived:
            continue  # the container has no such mount point any more, and the archive nothing for it
        if same is not None and not same.is_volume:
            options[one.key] = same.render(same.source)
            continue
        wanted = [*([same.storage] if same else []), *list_wanted(one, storage)]
        size = max(one.size_gb, same.size_gb if same else 0.0)
        options[one.key] = one.render(f"{choose_storage(names, wanted)}:{size:g}")
    for one in there.values():
        source = f"{choose_storage(names, [one.storage])}:{one.size_gb:g}" if one.is_volume else one.source
        key = one.key if one.key not in options else find_free_mount(options)
        options[key] = one.render(source)
    return {"storage": options["rootfs"].partition(":")[0], **options}
