"""What new containers are made of: templates on the node, or downloaded from Proxmox's list."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any

from services.common.core.errors import DomainError
from services.inventory.domain.errors import (
    ProxmoxRefusedError,
    TemplateDownloadingError,
    TemplateNotFoundError,
    WriteUncertainError,
)
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.storages import choose_storage, list_storages

# Those whose own packages bring Docker with compose first.
SUITABLE = ("debian-13-standard", "alpine-3", "debian-12-standard", "ubuntu-24.04-standard")
_WAIT_S = 6.0
_POLL_S = 0.1


async def get_template(client: ProxmoxClient, node: str, wanted: str) -> str:
    """Return the volume id of the wanted template; of what suits Docker when none is named. Downloads what is missing.

    Raises:
        TemplateDownloadingError: the download takes longer; ask again.
        TemplateNotFoundError: neither on the node nor to be downloaded.
    """
    volumes = await list_templates(client, node)
    wishes = [wanted] if wanted else list(SUITABLE)
    found = _choose([str(one["volid"]) for one in volumes], wishes)
    if found:
        return found
    if "/" in wanted and ":" in wanted:
        raise TemplateNotFoundError(f"template: node {node} has no {wanted!r}")
    offered = await client.get(f"/nodes/{node}/aplinfo")
    name = _choose([str(one["template"]) for one in offered], wishes)
    if not name:
        raise TemplateNotFoundError(
            f"template: {wanted or 'no suitable template'!r} is neither on {node} nor offered"
        )
    storage = await choose_storage(client, node, "vztmpl")
    return await _download(client, node, storage=storage, name=name)


async def list_templates(client: ProxmoxClient, node: str) -> list[dict[str, Any]]:
    """Return the templates on a node's storages; those of a storage that does not answer are left out."""
    storages = await list_storages(client, node, "vztmpl")
    answers = await asyncio.gather(
        *(
            client.get(f"/nodes/{node}/storage/{one['storage']}/content", content="vztmpl")
            for one in storages
        ),
        return_exceptions=True,
    )
    found: list[dict[str, Any]] = []
    for answer in answers:
        if isinstance(answer, DomainError):
            continue
        if isinstance(answer, BaseException):
            raise answer
        found += answer
    return found


def _choose(names: Sequence[str], wishes: Sequence[str]) -> str:
    """The newest of the first wish that has any; a wish is a volume id, a file name or the beginning of one."""
    for wish in wishes:
        short = wish.rpartition("/")[2]
        fitting = [name for name in names if name == wish or name.rpartition("/")[2].startswith(short)]
        if fitting:
            return max(fitting, key=_sort_key)
    return ""


def _sort_key(name: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", name.rpartition("/")[2])]


async def _download(client: ProxmoxClient, node: str, *, storage: str, name: str) -> str:
    upid = await _find_download(client, node, name)
    if not upid:
        try:
            upid = await client.post(f"/nodes/{node}/aplinfo", storage=storage, template=name)
        except WriteUncertainError as error:
            raise TemplateDownloadingError(f"{name} may be downloading to {node}", retry_after=3) from error
    volume, waited = f"{storage}:vztmpl/{name}", 0.0
    while waited < _WAIT_S:
        status = await client.get(f"/nodes/{node}/tasks/{upid}/status")
        if status.get("status") != "running":
            if status.get("exitstatus") == "OK":
                return volume
            raise ProxmoxRefusedError(f"the download of {name} to {node} failed: {status.get('exitstatus')}")
        await asyncio.sleep(_POLL_S)
        waited += _POLL_S
    raise TemplateDownloadingError(f"{name} is being downloaded to {node}", retry_after=5)


async def _find_download(client: ProxmoxClient, node: str, name: str) -> str:
    for one in await client.get(f"/nodes/{node}/tasks", source="active", typefilter="download"):
        if not one.get("endtime") and one.get("id") in (name, "", None):
            return str(one["upid"])
    return ""
