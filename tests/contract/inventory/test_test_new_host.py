"""TestNewHost: address, certificate and credentials are tried before anything is stored."""

from __future__ import annotations

from typing import Any

import pytest
from proximity.inventory.v1 import inventory_service_pb2 as pb

from services.common.core.errors import InvalidError
from tests.contract.inventory.conftest import Inventory, count_requests, new_call
from tests.unit.pvesim.sim import Running


def describe(simulator: Running, **changes: Any) -> pb.TestNewHostRequest:
    """The request that tests a simulator, with some fields changed."""
    ready = simulator.client.ready
    values = {
        "host": "127.0.0.1",
        "port": ready["port"],
        "password": ready["password"],
        "ssh_port": ready["ssh_port"],
        "fingerprint": ready["fingerprint"],
    }
    return pb.TestNewHostRequest(**{**values, **changes})


async def test_the_test_succeeds_and_stores_nothing(inventory: Inventory, other: Running) -> None:
    hosts, keys = await inventory.store.list_hosts(), await inventory.store.find_ssh_key(0, "127.0.0.1")
    answer = await inventory.hosts.test_new_host(describe(other), new_call())
    assert (answer.success, answer.version, answer.exec_mode) == (True, "9.2.11", "ssh"), answer.message
    assert (answer.fingerprint, answer.confirm_fingerprint) == (other.client.ready["fingerprint"], False)
    assert answer.latency_ms > 0
    assert await inventory.store.list_hosts() == hosts
    assert await inventory.store.find_ssh_key(0, "127.0.0.1") == keys == ""


async def test_a_certificate_that_is_not_trusted_gets_no_credentials(
    inventory: Inventory, other: Running
) -> None:
    other.client.control("DELETE", "/requests")
    answer = await inventory.hosts.test_new_host(describe(other, fingerprint=""), new_call())
    assert (answer.success, answer.confirm_fingerprint) == (False, True)
    assert answer.fingerprint == other.client.ready["fingerprint"]
    assert "cannot be verified" in answer.message
    assert count_requests(other) == {}
    confirmed = describe(other, fingerprint=answer.fingerprint)
    assert (await inventory.hosts.test_new_host(confirmed, new_call())).success


async def test_another_certificate_than_the_confirmed_one_gets_no_credentials(
    inventory: Inventory, other: Running
) -> None:
    other.client.control("DELETE", "/requests")
    answer = await inventory.hosts.test_new_host(
        describe(other, fingerprint=":".join(["AB"] * 32)), new_call()
    )
    assert (answer.success, answer.confirm_fingerprint) == (False, False)
    assert "not the pinned one" in answer.message
    assert count_requests(other) == {}


async def test_without_verification_the_shown_certificate_is_used_and_to_be_confirmed(
    inventory: Inventory, other: Running
) -> None:
    request = describe(other, fingerprint="", verify_ssl=False)
    answer = await inventory.hosts.test_new_host(request, new_call())
    assert (answer.success, answer.confirm_fingerprint) == (True, True), answer.message
    assert answer.fingerprint == other.client.ready["fingerprint"]


async def test_wrong_credentials_and_silence_are_outcomes(inventory: Inventory, other: Running) -> None:
    answer = await inventory.hosts.test_new_host(describe(other, password="wrong"), new_call())
    assert (answer.success, answer.HasField("version")) == (False, False)
    assert "refuses root@pam" in answer.message
    assert "wrong" not in answer.message
    answer = await inventory.hosts.test_new_host(describe(other, port=1), new_call())
    assert (answer.success, answer.HasField("fingerprint"), answer.confirm_fingerprint) == (
        False,
        False,
        False,
    )
    assert "127.0.0.1:1" in answer.message


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"password": ""}, "password"),
        ({"host": "127.0.0.1:8006"}, "host"),
        ({"token_id": "x"}, "token_secret"),
    ],
)
async def test_requests_that_could_not_be_registered_are_refused(
    inventory: Inventory, other: Running, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidError, match=field):
        await inventory.hosts.test_new_host(describe(other, **changes), new_call())
