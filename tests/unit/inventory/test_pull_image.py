"""PullImage: an image becomes a template on a node, pulled once."""

from __future__ import annotations

import pytest

from services.inventory.domain.containers import ProxmoxTask
from services.inventory.domain.errors import HostNotFoundError, ImageUnusableError, StorageNotFoundError
from services.inventory.usecases.pull_image import pull_image
from tests.fakes.inventory import InstantInventory


async def pull(inventory: InstantInventory, reference: str, *, storage: str = "") -> ProxmoxTask:
    return await pull_image(
        inventory.parts.fleet, inventory.host.id, node="pve1", reference=reference, storage=storage
    )


async def test_an_image_is_pulled_once(inventory: InstantInventory) -> None:
    task = await pull(inventory, "nginx:alpine")
    assert (await inventory.finish(task)).succeeded
    assert task.result == "local:vztmpl/nginx_alpine.tar"
    again = await pull(inventory, "nginx:alpine", storage="local")
    assert (again.upid, again.result) == ("", task.result)


async def test_a_pull_under_way_is_followed(inventory: InstantInventory) -> None:
    inventory.proxmox.hold_tasks = True
    first = await pull(inventory, "caddy:2")
    assert await pull(inventory, "caddy:2") == first


async def test_what_cannot_be_pulled_is_refused_with_the_remedy(inventory: InstantInventory) -> None:
    with pytest.raises(ImageUnusableError, match="a digest and no tag"):
        await pull(inventory, "nginx@sha256:" + "a" * 64)
    with pytest.raises(StorageNotFoundError, match="'tape'"):
        await pull(inventory, "nginx:alpine", storage="tape")
    with pytest.raises(HostNotFoundError):
        await pull_image(inventory.parts.fleet, 99, node="pve1", reference="nginx:alpine")
    inventory.proxmox.cluster.nodes["pve1"].missing.append("skopeo")
    with pytest.raises(ImageUnusableError, match="apt install skopeo"):
        await pull(inventory, "nginx:alpine")
