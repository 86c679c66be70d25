"""Ownership of containers: the marks in their configurations, and the reservations of their ids."""

from __future__ import annotations

from services.inventory.domain.containers import ContainerRef, check_unlocked
from services.inventory.proxmox.containers import ContainerLookup, put_config
from services.inventory.proxmox.marks import (
    add_marks,
    check_owner,
    drop_marks,
    find_named_owner,
    find_owner,
)
from services.inventory.proxmox.networks import Networks


async def adopt_container(
    containers: ContainerLookup,
    networks: Networks,
    *,
    ref: ContainerRef,
    owner: str,
    instead_of: str = "",
) -> None:
    """Put the owner's marks on a container that nobody owns, or that carries the marks of `instead_of`.

    Its id and its static addresses are reserved for the owner. A container that carries the owner's marks already, as
    after a restore of the database, replaces the one that the owner has reserved on the host.

    Raises:
        NotOursError: it carries the marks of somebody else.
        VmidTakenError: its id is reserved for somebody else, or the owner has another container there.
        ContainerLockedError: Proxmox works on it.
    """
    view = await containers.get(ref)
    found = find_owner(view.config)
    # The reservation first: an owner with marks and without an id could lose it to a new app.
    await containers.vmids.claim_vmid(ref.host_id, ref.vmid, owner=owner, instead=found == owner)
    if found != owner:
        if found is not None and found != instead_of:
            check_owner(view.config, owner, vmid=ref.vmid)
        check_unlocked(view)
        await put_config(view, add_marks(view.config, owner))
    await networks.note_addresses(view, owner)


async def list_address_conflicts(
    containers: ContainerLookup, networks: Networks, *, ref: ContainerRef
) -> list[str]:
    """Return a sentence for each static address of a container that another guest or node of its host has too."""
    view = await containers.get(ref, with_tasks=False)
    return await networks.list_conflicts(view, unstarted=await containers.vmids.list_copies(ref.host_id))


async def release_container(containers: ContainerLookup, ref: ContainerRef, *, owner: str) -> None:
    """Take the owner's marks off, also where only the description has one, and release the reserved id.

    For a container that is gone, or that carries no marks, only the id is released.

    Raises:
        NotOursError: it carries the marks of somebody else.
        ContainerLockedError: Proxmox works on it.
    """
    view = await containers.find(ref)
    named = None if view is None else find_named_owner(view.config)
    if view is not None and named == owner:
        check_unlocked(view)
        await put_config(view, drop_marks(view.config))
    elif view is not None and find_owner(view.config) is not None:
        check_owner(view.config, owner, vmid=ref.vmid)
    # Last: while the marks are there, the id must not be given to another app.
    await containers.vmids.release_vmid(ref.host_id, owner)
