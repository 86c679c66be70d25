"""TestHost: address, certificate and credentials of a host are tried, and a fault is an outcome."""

from __future__ import annotations

import pytest
from proximity.inventory.v1 import inventory_service_pb2 as pb

from services.inventory.domain.errors import HostNotFoundError
from services.inventory.domain.patches import HostChanges
from tests.contract.inventory.conftest import Inventory, count_requests, make_host, new_call
from tests.unit.pvesim.sim import Running


async def test_a_host_is_tested_and_its_nodes_are_read(inventory: Inventory) -> None:
    answer = await inventory.hosts.test_host(pb.TestHostRequest(id=inventory.host.id), new_call())
    assert (answer.success, answer.version, answer.exec_mode) == (True, "9.2.11", "ssh"), answer.message
    assert answer.fingerprint == inventory.sim.client.ready["fingerprint"]
    synced = await inventory.hosts.sync_host_nodes(pb.SyncHostNodesRequest(id=inventory.host.id), new_call())
    assert synced.message == "Synced 3 nodes"
    nodes = [node.message async for node in inventory.hosts.list_nodes(pb.ListNodesRequest(), new_call())]
    assert [node.name for node in nodes] == ["pve1", "pve2", "pve3"]
    assert all(node.status == "online" and node.memory_total > 0 and node.storage_total > 0 for node in nodes)


async def test_a_certificate_that_nobody_verifies_is_pinned_at_first_sight(
    inventory: Inventory, other: Running
) -> None:
    host = await inventory.store.add_host(make_host(other, "homelab", verify_ssl=False, fingerprint=""))
    answer = await inventory.hosts.test_host(pb.TestHostRequest(id=host.id), new_call())
    assert answer.success, answer.message
    shown = (await inventory.hosts.get_host(pb.GetHostRequest(id=host.id), new_call())).fingerprint
    assert shown == answer.fingerprint == other.client.ready["fingerprint"]

    changed = HostChanges(fingerprint=":".join(["AB"] * 32), password=other.client.ready["password"])
    await inventory.store.update_host(host.id, changed)
    other.client.control("DELETE", "/requests")
    answer = await inventory.hosts.test_host(pb.TestHostRequest(id=host.id), new_call())
    assert not answer.success
    assert "not the pinned one" in answer.message
    assert count_requests(other) == {}  # not even the credentials

    moved = await inventory.store.update_host(host.id, HostChanges(port=1, password="another"))
    assert moved.fingerprint == ""


async def test_a_certificate_that_is_not_pinned_is_verified(inventory: Inventory, other: Running) -> None:
    host = await inventory.store.add_host(make_host(other, "strict", fingerprint=""))
    other.client.control("DELETE", "/requests")
    answer = await inventory.hosts.test_host(pb.TestHostRequest(id=host.id), new_call())
    assert (answer.success, answer.fingerprint) == (False, other.client.ready["fingerprint"])
    assert "cannot be verified" in answer.message
    assert count_requests(other) == {}


async def test_wrong_credentials_are_an_outcome_and_an_unknown_host_an_error(inventory: Inventory) -> None:
    await inventory.store.update_host(inventory.host.id, HostChanges(password="wrong"))
    answer = await inventory.hosts.test_host(pb.TestHostRequest(id=inventory.host.id), new_call())
    assert (answer.success, answer.HasField("version"), answer.HasField("latency_ms")) == (
        False,
        False,
        False,
    )
    assert "refuses root@pam" in answer.message
    assert answer.fingerprint, "known before the sign-in"
    with pytest.raises(HostNotFoundError):
        await inventory.hosts.test_host(pb.TestHostRequest(id=99), new_call())
