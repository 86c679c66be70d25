"""CheckArchive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable

from services.inventory.domain.archive_checks import (
    ArchiveState,
    ArchiveVerdict,
    is_locked,
    judge,
    render_check,
)
from services.inventory.domain.errors import ExecHungError, ExecUnavailableError, NodeCheckingError
from services.inventory.domain.interfaces import ContainerAccess, ProxmoxFleet
from services.inventory.proxmox.archives import find_archive

_PATH_S = 60.0  # pvesm activates the storage first, and waits for a mount
_GRACE_S = 30.0  # for `timeout` on the node to end the command before the connection does
_RETRY_S = 30.0  # between two looks whether a node reads another archive: most take minutes


async def check_archive(
    fleet: ProxmoxFleet, access: ContainerAccess, *, host_id: int, archive: str, limit_s: int
) -> ArchiveVerdict:
    """Read an archive on a node that sees it, within `limit_s` seconds, and tell whether it is whole.

    Raises:
        ArchiveNotFoundError: no storage has it.
        NodeCheckingError: the node reads another one.
        HostUnreachableError: the host, the node or a storage does not answer.
    """
    client = await fleet.get_client(host_id)
    found = await find_archive(client, archive)
    if found.is_on_backup_server:
        return _leave("it is on a Proxmox Backup Server, which verifies its archives itself")
    if not client.access.has_ssh:
        return _leave(
            f"{client.access.name} has no SSH: register it with root's password or an SSH key; the API reads no archives"
        )
    try:
        named = await access.run_on_node(
            client, found.node, argv=["pvesm", "path", archive], timeout_s=_PATH_S
        )
        path = named.text.strip()
        if named.exit_code != 0 or not path.startswith("/"):
            return _leave(f"node {found.node} names no file for it: {path[:200]}", node=found.node)
        command = render_check(path, limit_s=limit_s)
        done = await access.run_on_node(client, found.node, argv=command, timeout_s=limit_s + _GRACE_S)
    except (ExecUnavailableError, ExecHungError) as error:
        return _leave(error.message, node=found.node)
    if is_locked(done):
        raise NodeCheckingError(f"node {found.node} reads another archive", retry_after=_RETRY_S)
    return judge(done, node=found.node, limit_s=limit_s)


async def repeat_until_done(
    check: Awaitable[ArchiveVerdict], *, every_s: float
) -> AsyncIterator[ArchiveVerdict | None]:
    """Yield None every `every_s` seconds while an archive is read, then the verdict."""
    task = asyncio.ensure_future(check)
    try:
        while not (await asyncio.wait((task,), timeout=every_s))[0]:
            yield None
        yield task.result()
    finally:
        task.cancel()  # a caller that has gone ends the command on the node


def _leave(reason: str, *, node: str = "") -> ArchiveVerdict:
    return ArchiveVerdict(state=ArchiveState.NOT_CHECKED, reason=reason, node=node)
