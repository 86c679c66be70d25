"""PullImage: OCI images as templates, which needs Proxmox VE 9.1."""

from __future__ import annotations

import re
from collections.abc import Collection

from services.inventory.domain.containers import ProxmoxTask
from services.inventory.domain.errors import ImageUnusableError, ProxmoxRefusedError
from services.inventory.domain.interfaces import ProxmoxFleet
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.proxmox.storages import choose_storage

_LONGEST_NAME = 200  # characters; Proxmox takes 255 and appends what makes it an archive
_SUFFIX = ".tar"


def parse_reference(text: str) -> str:
    """Return an image as `name:tag`; a digest beside a tag is left out, a missing tag is `latest`.

    Raises:
        ImageUnusableError: a digest alone, which Proxmox does not pull.
    """
    name, at, _ = text.partition("@")
    has_tag = ":" in name.rpartition("/")[2]
    if at and not has_tag:
        raise ImageUnusableError(
            f"image {text[:200]!r} has a digest and no tag, which Proxmox VE cannot pull"
        )
    return name if has_tag else f"{name}:latest"


def make_file_name(reference: str) -> str:
    """Return a name for an image's file that no other image has; Proxmox appends `.tar` to what it is given."""
    return re.sub(r"[^-a-zA-Z0-9_.]", "_", reference)[-_LONGEST_NAME:]


def list_stored_names(name: str) -> tuple[str, str]:
    """Return the names under which Proxmox has an image: as given now, and as given with `.tar` by former releases."""
    return f"{name}{_SUFFIX}", f"{name}{_SUFFIX}{_SUFFIX}"


async def pull_image(
    fleet: ProxmoxFleet, host_id: int, *, node: str, reference: str, storage: str = ""
) -> ProxmoxTask:
    """Pull an image into template storage; one that is there already is done.

    Raises:
        ImageUnusableError: Proxmox cannot pull such an image.
        ProxmoxRefusedError: it refuses; a missing program is named with what to do.
    """
    client = await fleet.get_client(host_id)
    image = parse_reference(reference)
    name = make_file_name(image)
    target = await choose_storage(client, node, content="vztmpl", wanted=storage)
    path = f"/nodes/{node}/storage/{target}"
    stored = [f"{target}:vztmpl/{one}" for one in list_stored_names(name)]
    there = {str(one["volid"]) for one in await client.get(f"{path}/content", content="vztmpl")}
    if found := next((volume for volume in stored if volume in there), ""):
        return ProxmoxTask(client.access.host_id, node, result=found)
    volume = stored[0]
    if upid := await _find_pull(client, node, names=list_stored_names(name)):
        return _name_result(client, node, upid=upid, volume=volume)
    try:
        upid = await client.post(f"{path}/oci-registry-pull", reference=image, filename=name)
    except ProxmoxRefusedError as error:
        if "existing file" in error.reason_of_proxmox:
            return ProxmoxTask(client.access.host_id, node, result=volume)
        if "skopeo" in error.reason_of_proxmox:
            raise ImageUnusableError(
                f"node {node} cannot pull OCI images: run `apt install skopeo` on it, or use runtime compose"
            ) from error
        raise
    return _name_result(client, node, upid=str(upid), volume=volume)


def _name_result(client: ProxmoxApi, node: str, *, upid: str, volume: str) -> ProxmoxTask:
    """The task of a pull, with the volume that it makes: its id is the name of the file."""
    storage, _, _ = volume.partition("/")
    return ProxmoxTask(client.access.host_id, node, upid, f"{storage}/{upid.split(':')[6]}")


async def _find_pull(client: ProxmoxApi, node: str, *, names: Collection[str]) -> str:
    """The task that pulls the image already, for another app or before a crash."""
    for one in await client.get(f"/nodes/{node}/tasks", source="active", typefilter="ociregistrypull"):
        if not one.get("endtime") and one.get("id") in names:
            return str(one["upid"])
    return ""
