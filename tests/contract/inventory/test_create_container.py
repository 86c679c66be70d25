"""Containers get the devices that an administrator allows, and go to nodes that run their images."""

from __future__ import annotations

from dataclasses import replace

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs
from proximity.inventory.v1 import inventory_service_pb2 as pb

from services.inventory.domain.entities import Secrets
from services.inventory.domain.errors import NodeUnsuitableError
from tests.contract.inventory.conftest import Inventory, make_host, new_call
from tests.unit.pvesim.sim import Running


async def test_an_allowed_device_is_in_the_container_s_configuration(inventory: Inventory) -> None:
    ref = await inventory.create(devices=["/dev/net/tun"])
    client = await inventory.fleet.get_client(ref.host_id)
    config = await client.get(f"/nodes/{ref.node}/lxc/{ref.vmid}/config")
    assert config["dev0"] == "/dev/net/tun,mode=0666"
    await inventory.start(ref)


async def test_credentials_that_may_not_pass_devices_are_refused_with_the_remedy(
    inventory: Inventory, sim: Running
) -> None:
    ready = sim.client.ready
    token = {"token_id": str(ready["token_id"]), "secrets": Secrets(token_secret=str(ready["token_secret"]))}
    host = await inventory.store.add_host(make_host(sim, "token", **token))
    request = cs.PlaceContainerRequest(host_id=host.id, devices=["/dev/net/tun"])
    with pytest.raises(NodeUnsuitableError, match="register host token with root@pam and its password"):
        await inventory.containers.place_container(request, new_call())
    await inventory.vmids.claim_vmid(host.id, 9500, owner="tunnel")
    creation = cs.CreateContainerRequest(
        container=cs.ContainerRef(host_id=host.id, vmid=9500, node="pve1"),
        owner="tunnel",
        hostname="tunnel",
        docker=True,
        devices=["/dev/net/tun"],
    )
    with pytest.raises(NodeUnsuitableError):
        await inventory.containers.create_container(creation, new_call())


async def test_the_architecture_of_nodes_is_known_and_counts(inventory: Inventory) -> None:
    await inventory.hosts.sync_host_nodes(pb.SyncHostNodesRequest(id=inventory.host.id), new_call())
    nodes = await inventory.store.list_nodes(inventory.host.id)
    assert {node.architecture for node in nodes} == {"amd64"}
    placed = await inventory.containers.place_container(
        cs.PlaceContainerRequest(architectures=["amd64", "arm64"]), new_call()
    )
    assert placed.architecture == "amd64"
    with pytest.raises(NodeUnsuitableError, match="is amd64, and the images of the app are for arm64"):
        await inventory.containers.place_container(
            cs.PlaceContainerRequest(architectures=["arm64"]), new_call()
        )
    # A node that does not say it this time keeps what was known.
    silent = [replace(node, architecture="") for node in nodes]
    await inventory.store.note_answer(inventory.host.id, version="9.2.11", found=silent)
    assert {node.architecture for node in await inventory.store.list_nodes(inventory.host.id)} == {"amd64"}
