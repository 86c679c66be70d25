"""Finding a container, looking at it, and acting on it so that a repetition does no harm."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Protocol

from services.inventory.domain.errors import (
    ContainerLockedError,
    ContainerNotFoundError,
    HostUnreachableError,
    ProxmoxRefusedError,
    VmidTakenError,
    WriteUncertainError,
)
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.fleet import Fleet
from services.inventory.proxmox.marks import check_owner

_LOOKS = 5
_MAKING = ("create", "disk")
_LOOK_AGAIN_S = 0.2


@dataclass(frozen=True)
class ContainerRef:
    """Where a container is; the node is a hint."""

    host_id: int
    vmid: int
    node: str = ""


@dataclass(frozen=True)
class ProxmoxTask:
    """A task of Proxmox, or nothing to do (no upid).

    Attributes:
        result: what was made or found, when it is known at once.
        warnings: for the log of the app that asked.
    """

    host_id: int
    node: str
    upid: str = ""
    result: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class View:
    """A container as it is now: its configuration, status and running tasks."""

    client: ProxmoxClient
    node: str
    vmid: int
    config: dict[str, Any]
    status: dict[str, Any] = field(default_factory=dict)
    tasks: tuple[dict[str, Any], ...] = ()

    @property
    def path(self) -> str:
        """Its path in the API."""
        return f"/nodes/{self.node}/lxc/{self.vmid}"

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return self.status.get("status") == "running"

    @property
    def lock(self) -> str:
        """What Proxmox does with it, empty when nothing."""
        return str(self.config.get("lock") or "")

    @property
    def is_unfinished(self) -> bool:
        """Whether its creation has not ended: it is locked for it, or has no root since somebody took that lock off."""
        return self.lock in _MAKING or "rootfs" not in self.config

    def find_task(self, types: Collection[str]) -> ProxmoxTask | None:
        """A running task of one of these types."""
        for task in self.tasks:
            if task.get("type") in types:
                return ProxmoxTask(self.client.access.host_id, self.node, str(task["upid"]))
        return None

    def done(self, result: str = "") -> ProxmoxTask:
        """Nothing to do."""
        return ProxmoxTask(self.client.access.host_id, self.node, result=result)


class Vmids(Protocol):
    """Who holds which container id."""

    async def find_owner(self, host_id: int, vmid: int) -> str | None:
        """Return who holds an id, or None."""

    async def mark_copy(self, host_id: int, owner: str, *, is_copy: bool) -> None:
        """Note whether an owner's container has the addresses of what it was copied from."""

    async def is_copy(self, host_id: int, owner: str) -> bool:
        """Whether an owner's container has the addresses of what it was copied from."""


class Containers:
    """The containers of all hosts."""

    def __init__(self, fleet: Fleet, vmids: Vmids) -> None:
        self.fleet = fleet
        self.vmids = vmids

    async def look(self, ref: ContainerRef, *, with_tasks: bool = True) -> View:
        """Look at a container; without its tasks for who changes nothing that one of them may change too.

        It is where Proxmox says, also when the node of `ref` is down: the HA manager has moved it then.

        Raises:
            ContainerNotFoundError: the host answers and has none.
            HostUnreachableError: the host, or the node that the container is on, does not answer.
        """
        client = await self.fleet.get_client(ref.host_id)
        silence: HostUnreachableError | None = None
        if ref.node:
            try:
                return await _look_on(client, ref.node, ref.vmid, with_tasks=with_tasks)
            except ProxmoxRefusedError:
                pass  # it is not there: it may have moved
            except HostUnreachableError as error:
                if is_of_host(error):
                    raise
                silence = error
        node = await find_node(client, ref.vmid)
        if node is None:
            raise ContainerNotFoundError(f"{client.access.name} has no container {ref.vmid}")
        if silence is not None and node == ref.node:
            raise silence
        try:
            return await _look_on(client, node, ref.vmid, with_tasks=with_tasks)
        except ProxmoxRefusedError as error:
            if "does not exist" in error.message:
                raise ContainerNotFoundError(f"{client.access.name} has no container {ref.vmid}") from error
            raise

    async def find(self, ref: ContainerRef) -> View | None:
        """Look at a container, or None when the host answers and has none."""
        try:
            return await self.look(ref)
        except ContainerNotFoundError:
            return None

    async def look_owned(self, ref: ContainerRef, owner: str, *, with_tasks: bool = True) -> View:
        """Look at a container of `owner`, as `look`.

        Raises:
            NotOursError: it does not carry the owner's marks.
        """
        view = await self.look(ref, with_tasks=with_tasks)
        check_owner(view.config, owner, vmid=ref.vmid)
        return view

    async def check_reserved(self, ref: ContainerRef, owner: str) -> None:
        """Refuse to make a container under an id that the owner does not hold: it may have been given up since.

        Raises:
            VmidTakenError: nobody, or somebody else, holds it.
        """
        holder = await self.vmids.find_owner(ref.host_id, ref.vmid)
        if holder != owner:
            raise VmidTakenError(f"the container id {ref.vmid} is not reserved for {owner}")


def is_of_host(error: HostUnreachableError) -> bool:
    """Whether the host as a whole does not answer, and not only one node behind it."""
    return error.metadata.get("scope") == "host"


def check_unlocked(view: View) -> None:
    """Refuse what Proxmox would refuse while it works on a container.

    Raises:
        ContainerLockedError: it has a lock, such as that of a nightly backup.
    """
    if view.lock:
        raise ContainerLockedError(
            f"container {view.vmid} is locked ({view.lock}): Proxmox works on it", retry_after=2
        )


async def find_node(client: ProxmoxClient, vmid: int) -> str | None:
    """Return the node that a container is on, or None."""
    found = await find_resource(client, vmid)
    return None if found is None else str(found["node"])


async def find_resource(client: ProxmoxClient, vmid: int) -> dict[str, Any] | None:
    """Return a container as the list of the cluster has it, or None."""
    for one in await client.get("/cluster/resources", type="vm"):
        if int(one["vmid"]) == vmid and one.get("type") == "lxc":
            return dict(one)
    return None


async def has_left(client: ProxmoxClient, node: str, vmid: int) -> bool:
    """Whether a container is on another node than this one, or nowhere: nothing runs on it here any more."""
    return await find_node(client, vmid) != node


async def list_running_tasks(client: ProxmoxClient, node: str, vmid: int) -> tuple[dict[str, Any], ...]:
    """Return the running tasks of a container, newest first."""
    found = await client.get(f"/nodes/{node}/tasks", vmid=vmid, source="active", limit=50)
    running = [
        one
        for one in found
        if not one.get("endtime") and one.get("status") in (None, "", "RUNNING", "running")
    ]
    return tuple(sorted(running, key=lambda one: -int(one.get("starttime") or 0)))


async def _look_on(client: ProxmoxClient, node: str, vmid: int, *, with_tasks: bool) -> View:
    """The tasks first: what one of them did that ends meanwhile is then seen in the status."""
    tasks = await list_running_tasks(client, node, vmid) if with_tasks else ()
    config, status = await asyncio.gather(
        client.get(f"/nodes/{node}/lxc/{vmid}/config"),
        client.get(f"/nodes/{node}/lxc/{vmid}/status/current"),
    )
    return View(client, node, vmid, config, status, tasks)


async def act(
    view: View,
    request: Callable[[], Awaitable[Any]],
    *,
    types: Collection[str],
    node: str = "",
    vmid: int = 0,
) -> ProxmoxTask:
    """Ask Proxmox for a task; when no answer comes, look for the task that it may have started.

    Args:
        view: the container.
        request: sends the request.
        types: of the task; empty where one that runs may be somebody else's, which is not to be followed.
        node: where the task runs, if not on the container's node.
        vmid: the container that the task names, if not this one.

    Raises:
        WriteUncertainError: no answer, and no such task runs: it is over, or never began. The caller asks again.
        DomainError: Proxmox refused.
    """
    where, which = node or view.node, vmid or view.vmid
    try:
        upid = await request()
    except WriteUncertainError:
        for _ in range(_LOOKS if types else 0):
            try:
                tasks = await list_running_tasks(view.client, where, which)
            except HostUnreachableError:
                tasks = ()
            found = View(view.client, where, which, {}, {}, tasks).find_task(types)
            if found is not None:
                return found
            await asyncio.sleep(_LOOK_AGAIN_S)
        raise
    return ProxmoxTask(view.client.access.host_id, where, str(upid or ""))
