"""Templates of new containers: those on the node, or downloaded from Proxmox's list."""

from __future__ import annotations

import asyncio
from typing import Any

from services.common.core.errors import DomainError
from services.inventory.domain.errors import (
    ProxmoxRefusedError,
    TemplateDownloadingError,
    TemplateNotFoundError,
    WriteUncertainError,
)
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.domain.templates import (
    DEFAULT_ARCHITECTURE,
    can_run,
    choose_suitable,
    find_beginning,
    find_named,
    find_package,
    parse_template,
)
from services.inventory.proxmox.nodes import find_architecture
from services.inventory.proxmox.storages import choose_storage, list_storages

# A short download may end within the request; the caller repeats the request for a longer one.
_WAIT_S = 6.0
_POLL_S = 0.1  # a template of 4 MiB is there after one second


async def get_template(client: ProxmoxApi, node: str, *, wanted: str) -> str:
    """Return the volume id of the wanted template; of what suits Docker when none is named. Downloads what is missing.

    Only templates of the node's architecture are chosen.

    Args:
        client: of the host.
        node: where the container will be.
        wanted: a volume id, a file name, the name of a package or the beginning of a file name; empty for any suitable.

    Raises:
        TemplateDownloadingError: the download takes longer; ask again.
        TemplateNotFoundError: neither on the node nor to be downloaded, or of another architecture.
    """
    present = [str(one["volid"]) for one in await list_templates(client, node)]
    if found := find_named(present, wanted) if wanted else "":
        return await _check_architecture(client, node, name=found)
    if "/" in wanted and ":" in wanted:
        raise TemplateNotFoundError(f"template: node {node} has no {wanted!r}")
    architecture = await get_architecture(client, node)
    if found := _choose(present, wanted, architecture=architecture):
        return found
    offered = [str(one["template"]) for one in await client.get(f"/nodes/{node}/aplinfo")]
    if name := find_named(offered, wanted) if wanted else "":
        await _check_architecture(client, node, name=name)
    elif not (name := _choose(offered, wanted, architecture=architecture)) and wanted:
        if found := find_beginning(present, wanted, architecture=architecture):
            return found
        name = find_beginning(offered, wanted, architecture=architecture)
    if not name:
        raise TemplateNotFoundError(
            f"template: {wanted or 'no suitable template'!r} for {architecture} is neither on {node} nor offered"
        )
    storage = await choose_storage(client, node, content="vztmpl")
    return await _download(client, node, storage=storage, name=name)


def _choose(names: list[str], wanted: str, *, architecture: str) -> str:
    return (
        find_package(names, wanted, architecture=architecture)
        if wanted
        else choose_suitable(names, architecture)
    )


async def get_architecture(client: ProxmoxApi, node: str) -> str:
    """Return the architecture of a node in Debian's words; amd64 where Proxmox does not say."""
    return await find_architecture(client, node) or DEFAULT_ARCHITECTURE


async def _check_architecture(client: ProxmoxApi, node: str, *, name: str) -> str:
    """Return the template; one that was named and is of another architecture is refused."""
    template = parse_template(name)
    if not template.architecture:
        return name
    architecture = await get_architecture(client, node)
    if not can_run(template, architecture):
        raise TemplateNotFoundError(
            f"template: {template.file_name} is for {template.architecture}, and node {node} is {architecture}"
        )
    return name


async def list_templates(client: ProxmoxApi, node: str) -> list[dict[str, Any]]:
    """Return the templates on a node's storages; those of a storage that does not answer are left out."""
    storages = await list_storages(client, node, content="vztmpl")
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


async def _download(client: ProxmoxApi, node: str, *, storage: str, name: str) -> str:
    # A download that another app began is followed; a second one would fail on its lock.
    upid = await _find_download(client, node, name=name)
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


async def _find_download(client: ProxmoxApi, node: str, *, name: str) -> str:
    for one in await client.get(f"/nodes/{node}/tasks", source="active", typefilter="download"):
        if not one.get("endtime") and one.get("id") in (name, "", None):
            return str(one["upid"])
    return ""
