"""Containers that are made of OCI images."""

import asyncio
import contextlib

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs

from services.inventory.domain.errors import (
    ContainerCreatingError,
)
from services.inventory.usecases import create_container
from tests.contract.inventory.conftest import Inventory, new_call


async def test_an_image_becomes_a_container_with_the_environment_asked_for(inventory: Inventory) -> None:
    pull = cs.PullImageRequest(
        host_id=inventory.host.id, node="pve1", reference="nginx:alpine", storage="local"
    )
    task = await inventory.containers.pull_image(pull, new_call())
    assert (await inventory.finish(task)).succeeded
    assert task.result == "local:vztmpl/nginx_alpine.tar"
    again = await inventory.containers.pull_image(pull, new_call())
    assert (again.upid, again.result) == ("", task.result)
    ref = await inventory.create("image-app", template=task.result, oci=True, environment={"GREETING": "a b"})
    config = inventory.sim.call("GET", f"/nodes/pve1/lxc/{ref.vmid}/config").data
    entries = str(config["env"]).split("\0")
    assert "GREETING=a b" in entries
    assert any(entry.startswith("PATH=") for entry in entries)


@pytest.mark.parametrize("image", ["gcr.io/distroless/static:1", "gcr.io/distroless/base:1"])
async def test_an_image_without_a_known_distribution_becomes_an_unmanaged_container(
    inventory: Inventory, image: str
) -> None:
    pull = cs.PullImageRequest(host_id=inventory.host.id, node="pve1", reference=image, storage="local")
    task = await inventory.containers.pull_image(pull, new_call())
    assert (await inventory.finish(task)).succeeded
    ref = await inventory.create(
        f"image-{image[-6:-2]}", template=task.result, oci=True, environment={"GREETING": "a b"}
    )
    config = inventory.sim.call("GET", f"/nodes/pve1/lxc/{ref.vmid}/config").data
    assert config["ostype"] == "unmanaged"
    assert "GREETING=a b" in str(config["env"]).split("\0")


async def test_a_creation_that_nobody_followed_to_its_failure_is_repeated_as_unmanaged(
    inventory: Inventory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_container, "_OCI_WAIT_S", 0.0)
    image = "cgr.dev/chainguard/nginx:1"
    pull = cs.PullImageRequest(host_id=inventory.host.id, node="pve1", reference=image, storage="local")
    task = await inventory.containers.pull_image(pull, new_call())
    assert (await inventory.finish(task)).succeeded
    vmid = (
        await inventory.containers.reserve_vmid(
            cs.ReserveVmidRequest(host_id=inventory.host.id, owner="late"), new_call()
        )
    ).vmid
    ref = cs.ContainerRef(host_id=inventory.host.id, vmid=vmid, node="pve1")
    wanted = cs.CreateContainerRequest(
        container=ref, owner="late", hostname="late", memory_mb=64, cores=1, disk_gb=1, template=task.result,
        oci=True,
    )  # fmt: skip
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(ContainerCreatingError):
                if not (await inventory.containers.create_container(wanted, new_call())).upid:
                    break
            await asyncio.sleep(0.02)
    assert inventory.sim.call("GET", f"/nodes/pve1/lxc/{vmid}/config").data["ostype"] == "unmanaged"


async def test_an_image_that_a_former_release_pulled_is_found_under_the_name_it_has(
    inventory: Inventory,
) -> None:
    path = "/nodes/pve1/storage/local/oci-registry-pull"
    assert inventory.sim.run("POST", path, reference="adminer:4.8.2", filename="adminer_4.8.2.tar") == "OK"
    pull = cs.PullImageRequest(
        host_id=inventory.host.id, node="pve1", reference="adminer:4.8.2", storage="local"
    )
    found = await inventory.containers.pull_image(pull, new_call())
    assert (found.upid, found.result) == ("", "local:vztmpl/adminer_4.8.2.tar.tar")


async def test_a_pull_that_is_under_way_is_followed_and_not_begun_again(inventory: Inventory) -> None:
    control = inventory.sim.client.control
    control("POST", "/faults", [{"kind": "task_hang", "match": {"type": "ociregistrypull"}, "seconds": 2}])
    pull = cs.PullImageRequest(host_id=inventory.host.id, node="pve1", reference="caddy:2", storage="local")
    first = await inventory.containers.pull_image(pull, new_call())
    second = await inventory.containers.pull_image(pull, new_call())
    control("DELETE", "/faults")
    assert (first.upid, first.result) == (second.upid, second.result)
    assert first.result == "local:vztmpl/caddy_2.tar"
    assert (await inventory.finish(first)).succeeded
