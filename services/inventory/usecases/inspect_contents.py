"""InspectContents."""

from __future__ import annotations

from services.clients.inventory.restore_tests import Contents
from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.contents import LIST_CONTENTS, parse_contents
from services.inventory.domain.disks import parse_disks
from services.inventory.domain.errors import ExecHungError
from services.inventory.domain.interfaces import ContainerAccess
from services.inventory.proxmox.containers import ContainerLookup
from services.inventory.usecases.guests import get_running

_TIMEOUT_S = 45.0  # below the 60 s that callers wait; Docker takes a second for 20 containers


async def inspect_contents(
    containers: ContainerLookup, access: ContainerAccess, *, ref: ContainerRef, owner: str
) -> Contents:
    """Return Docker's containers, images and volumes in a running container of `owner`, and its mount points.

    Raises:
        NotOursError: it does not carry the owner's marks.
        ContainerStoppedError: it does not run.
        ExecUnavailableError: the credentials allow no commands in containers.
        ExecHungError: the command did not come to its end.
    """
    view = await get_running(containers, ref, owner=owner)
    paths = [one.path for one in parse_disks(view.config) if one.path and one.key != "rootfs"]
    done = await access.run(view, ("sh", "-c", LIST_CONTENTS, "sh", *paths), timeout_s=_TIMEOUT_S)
    contents = parse_contents(done.text)
    if contents is None:
        raise ExecHungError(
            f"container {ref.vmid} does not say what is in it: {done.text.strip()[-200:] or f'exit code {done.exit_code}'}"
        )
    return contents
