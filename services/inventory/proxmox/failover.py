"""Tasks of containers that the HA manager starts, stops and moves.

`hastart` and `hastop` only request a state from the HA manager, and end before the container has changed. A task on a
node that died is over once the container is on another node.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator

from services.inventory.domain.containers import is_of_host
from services.inventory.domain.errors import HostUnreachableError, TaskNotFoundError
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.proxmox import tasks
from services.inventory.proxmox.containers import find_resource, has_left

_WANTED = {"hastart": "running", "hastop": "stopped"}
_POLL_S = 1.0  # the HA manager works in rounds of 10 s
_PATIENCE_S = 300.0  # the manager acts every 10 s; fencing a dead node takes it two to three minutes


async def watch_task(
    client: ProxmoxApi, node: str, *, upid: str, stall_s: int = 0
) -> AsyncIterator[tasks.Progress]:
    """Follow a task as `tasks.watch_task`; one for the HA manager ends when the container has changed.

    Raises:
        TaskNotFoundError: also when its node is down and the container is on another one.
        DomainError: as `tasks.watch_task`.
    """
    wanted, vmid = _WANTED.get(_part(upid, 5)), _part(upid, 6)
    try:
        async for progress in tasks.watch_task(client, node, upid=upid, stall_s=stall_s):
            if progress.done and progress.succeeded and wanted and vmid.isdigit():
                yield await _await_change(client, progress, vmid=int(vmid), wanted=wanted)
            else:
                yield progress
    except HostUnreachableError as error:
        await _refuse_if_over(client, node, upid=upid, error=error)
        raise


async def stop_task(client: ProxmoxApi, node: str, *, upid: str) -> None:
    """Stop a task as `tasks.stop_task`; one whose node is down and whose container has moved is over."""
    try:
        await tasks.stop_task(client, node, upid=upid)
    except HostUnreachableError as error:
        try:
            await _refuse_if_over(client, node, upid=upid, error=error)
        except TaskNotFoundError:
            return
        raise


async def _refuse_if_over(client: ProxmoxApi, node: str, *, upid: str, error: HostUnreachableError) -> None:
    vmid = _part(upid, 6)
    if not is_of_host(error) and vmid.isdigit() and await has_left(client, node, vmid=int(vmid)):
        raise TaskNotFoundError(
            f"the task {upid} ended with its node: {node} is down and container {vmid} has left it"
        ) from error


async def _await_change(
    client: ProxmoxApi, progress: tasks.Progress, *, vmid: int, wanted: str
) -> tasks.Progress:
    """The end of a task when the container has the status; a failure when it does not get it."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _PATIENCE_S
    while True:
        found = await find_resource(client, vmid)
        if (
            found is not None
            and found.get("status") == wanted
            and await _is_confirmed(client, found, wanted=wanted)
        ):
            return progress
        if loop.time() >= end:
            state = (found or {}).get("hastate") or "unknown"
            why = (
                f"the HA manager did not bring container {vmid} to {wanted} within {_PATIENCE_S:.0f} s; "
                f"its state there is {state}"
            )
            return dataclasses.replace(progress, succeeded=False, exit_status=why)
        await asyncio.sleep(_POLL_S)


async def _is_confirmed(client: ProxmoxApi, found: dict[str, object], *, wanted: str) -> bool:
    """Whether the node itself confirms the status: the list of the cluster may be 10 s old."""
    try:
        status = await client.get(f"/nodes/{found['node']}/lxc/{found['vmid']}/status/current")
    except HostUnreachableError as error:
        if is_of_host(error):
            raise
        return False
    return bool(status.get("status") == wanted)


def _part(upid: str, number: int) -> str:
    """A part of `UPID:node:pid:pstart:starttime:type:id:user:`; empty where there is none."""
    parts = upid.split(":")
    return parts[number] if len(parts) > number else ""
