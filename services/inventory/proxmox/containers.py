"""Lookup of containers with the check of their owner, and requests that may be repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from services.clients.inventory.errors import ContainerNotFoundError
from services.inventory.domain.containers import (
    ContainerRef,
    ListedBackup,
    ListedTask,
    ProxmoxTask,
    View,
    is_of_host,
)
from services.inventory.domain.errors import (
    HostUnreachableError,
    ProxmoxRefusedError,
    VmidTakenError,
    WriteUncertainError,
)
from services.inventory.domain.interfaces import ProxmoxFleet, VmidStore
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.proxmox.marks import check_owner

_TASK_LOOKUPS = 5  # for the task of a request without an answer
_LOOKUP_INTERVAL_S = 0.2  # Proxmox lists a task as soon as it has forked


class ContainerLookup:
    """The containers of all hosts."""

    def __init__(self, fleet: ProxmoxFleet, vmids: VmidStore) -> None:
        self.fleet = fleet
        self.vmids = vmids

    async def get(self, ref: ContainerRef, *, with_tasks: bool = True) -> View:
        """Return a container as it is now; callers that change nothing need no tasks.

        It is where Proxmox says, also when the node of `ref` is down: the HA manager has moved it then.

        Raises:
            ContainerNotFoundError: the host answers and has none.
            HostUnreachableError: the host, or the node that the container is on, does not answer.
        """
        client = await self.fleet.get_client(ref.host_id)
        silence: HostUnreachableError | None = None
        if ref.node:
            try:
                return await _look_on(client, ref.node, vmid=ref.vmid, with_tasks=with_tasks)
            except ProxmoxRefusedError:
                pass  # it is not there: it may have moved
            except HostUnreachableError as error:
                if is_of_host(error):
                    raise
                silence = error
        # The list of the cluster knows the node of every container, with up to 10 s delay.
        node = await find_node(client, ref.vmid)
        if node is None:
            raise ContainerNotFoundError(f"{client.access.name} has no container {ref.vmid}")
        # It has not moved: its node does not answer, which is the more useful error.
        if silence is not None and node == ref.node:
            raise silence
        try:
            return await _look_on(client, node, vmid=ref.vmid, with_tasks=with_tasks)
        except ProxmoxRefusedError as error:
            if "does not exist" in error.message:
                raise ContainerNotFoundError(f"{client.access.name} has no container {ref.vmid}") from error
            raise

    async def find(self, ref: ContainerRef) -> View | None:
        """Return a container, or None when the host answers and has none."""
        try:
            return await self.get(ref)
        except ContainerNotFoundError:
            return None

    async def get_owned(self, ref: ContainerRef, owner: str, *, with_tasks: bool = True) -> View:
        """Return a container of `owner`; raises as `get`.

        Raises:
            NotOursError: it does not carry the owner's marks.
        """
        view = await self.get(ref, with_tasks=with_tasks)
        check_owner(view.config, owner, vmid=ref.vmid)
        return view

    async def check_reserved(self, ref: ContainerRef, owner: str) -> None:
        """Refuse to make a container under an id that is not reserved for the owner: it may have been released.

        Raises:
            VmidTakenError: it is reserved for nobody, or for somebody else.
        """
        holder = await self.vmids.find_owner(ref.host_id, ref.vmid)
        if holder != owner:
            raise VmidTakenError(f"the container id {ref.vmid} is not reserved for {owner}")


async def find_node(client: ProxmoxApi, vmid: int) -> str | None:
    """Return the node that a container is on, or None."""
    found = await find_resource(client, vmid)
    return None if found is None else str(found["node"])


async def find_resource(client: ProxmoxApi, vmid: int) -> dict[str, Any] | None:
    """Return a container as the list of the cluster has it, or None."""
    for one in await client.get("/cluster/resources", type="vm"):
        if int(one["vmid"]) == vmid and one.get("type") == "lxc":
            return dict(one)
    return None


async def has_left(client: ProxmoxApi, node: str, *, vmid: int) -> bool:
    """Whether a container is on another node than this one, or nowhere: nothing runs on it here any more."""
    return await find_node(client, vmid) != node


async def list_running_tasks(client: ProxmoxApi, node: str, *, vmid: int) -> tuple[dict[str, Any], ...]:
    """Return the running tasks of a container, newest first."""
    found = await client.get(f"/nodes/{node}/tasks", vmid=vmid, source="active", limit=50)
    running = [
        one
        for one in found
        if not one.get("endtime") and one.get("status") in (None, "", "RUNNING", "running")
    ]
    return tuple(sorted(running, key=lambda one: -int(one.get("starttime") or 0)))


async def list_running_vzdumps(client: ProxmoxApi, node: str) -> list[dict[str, Any]]:
    """Return the running backups (vzdump) of a node, those of others too."""
    found = await client.get(f"/nodes/{node}/tasks", typefilter="vzdump", source="active", limit=50)
    return [one for one in found if not one.get("endtime") and str(one.get("type") or "") == "vzdump"]


def parse_backup(row: Mapping[str, Any], node: str) -> ListedBackup:
    """Parse a vzdump as a node lists it; the task of a job over several guests names none."""
    guest = str(row.get("id") or "")
    return ListedBackup(
        upid=str(row["upid"]),
        node=str(row.get("node") or node),
        vmid=int(guest) if guest.isdigit() else 0,
        user=str(row.get("user") or ""),
    )


def parse_task(row: Mapping[str, Any], node: str) -> ListedTask:
    """Parse a task as a node lists it."""
    is_running = not row.get("endtime")
    return ListedTask(
        upid=str(row["upid"]),
        node=str(row.get("node") or node),
        type=str(row.get("type") or ""),
        is_running=is_running,
        exit_status="" if is_running else str(row.get("status") or ""),
        started_at=int(row.get("starttime") or 0),
    )


async def _look_on(client: ProxmoxApi, node: str, *, vmid: int, with_tasks: bool) -> View:
    """The tasks first: what one of them did that ends meanwhile is then seen in the status."""
    tasks = await list_running_tasks(client, node, vmid=vmid) if with_tasks else ()
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
    """Request a task from Proxmox; when no answer comes, find the task that it may have started.

    Args:
        view: the container.
        request: sends the request.
        types: of the task; empty where one that runs may be somebody else's, which is not to be followed.
        node: where the task runs, if not on the container's node.
        vmid: the container that the task names, if not this one.

    Raises:
        WriteUncertainError: no answer, and no such task runs: it is over, or never began. The caller repeats its request.
        DomainError: Proxmox refused.
    """
    where, which = node or view.node, vmid or view.vmid
    try:
        upid = await request()
    except WriteUncertainError:
        for _ in range(_TASK_LOOKUPS if types else 0):
            try:
                tasks = await list_running_tasks(view.client, where, vmid=which)
            except HostUnreachableError:
                tasks = ()
            found = View(view.client, where, which, {}, {}, tasks).find_task(types)
            if found is not None:
                return found
            await asyncio.sleep(_LOOKUP_INTERVAL_S)
        raise
    return ProxmoxTask(view.client.access.host_id, where, str(upid or ""))


async def put_config(view: View, options: Mapping[str, Any]) -> None:
    """Change options of a container.

    The digest makes Proxmox refuse the change when somebody else has changed the configuration since it was read.
    """
    await view.client.put(f"{view.path}/config", **{**options, "digest": view.config.get("digest")})
