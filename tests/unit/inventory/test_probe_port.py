"""ProbePort: a port is probed from here, and from inside where it cannot be reached."""

from __future__ import annotations

import pytest

from services.inventory.domain.containers import ContainerRef
from services.inventory.domain.errors import NotOursError
from services.inventory.domain.ports import PortProbe
from services.inventory.usecases.guests import probe_port
from tests.fakes.inventory import InstantInventory


async def probe(
    inventory: InstantInventory, ref: ContainerRef, *, owner: str = "shop", **options: object
) -> PortProbe:
    return await probe_port(
        inventory.lookup,
        inventory.parts.access,
        ports=inventory.ports,
        ref=ref,
        owner=owner,
        port=8080,
        **options,  # type: ignore[arg-type]  # of the test's choice
    )


async def test_a_port_that_answers_from_here_is_not_probed_inside(inventory: InstantInventory) -> None:
    inventory.ports.open_ports = {8080: 302}
    ref = await inventory.create(is_running=True)
    found = await probe(inventory, ref, scheme="http", path="/login")
    assert (found.answered, found.http_status, inventory.ports.probes) == (True, 302, 1)


async def test_an_address_that_cannot_be_reached_is_probed_inside(inventory: InstantInventory) -> None:
    ref = await inventory.create(is_running=True)
    found = await probe(inventory, ref, scheme="http", thorough=False)
    assert (found.answered, found.message) == (True, "it answers inside the container")
    inventory.parts.access.outputs = {"": "nothing\n"}
    found = await probe(inventory, ref, scheme="http")
    assert not found.answered
    assert "8080 does not answer" in found.message


async def test_a_refused_connection_is_probed_inside_only_when_thorough(inventory: InstantInventory) -> None:
    ref = await inventory.create(is_running=True)
    inventory.ports.refuses = True
    assert not (await probe(inventory, ref, thorough=False)).answered
    inventory.parts.access.outputs = {"ss -Htlnp": "LISTEN 0 5 *:8080 *:*\n"}
    assert (await probe(inventory, ref)).answered


async def test_a_port_is_probed_until_it_answers_or_the_time_is_over(inventory: InstantInventory) -> None:
    ref = await inventory.create(is_running=True)
    inventory.ports.refuses = True
    assert not (await probe(inventory, ref, thorough=False, wait_s=0.2)).answered
    assert inventory.ports.probes > 1


async def test_a_stopped_container_does_not_answer_and_one_of_others_is_refused(
    inventory: InstantInventory,
) -> None:
    ref = await inventory.create()
    found = await probe(inventory, ref)
    assert (found.answered, found.message) == (False, f"container {ref.vmid} does not run")
    with pytest.raises(NotOursError):
        await probe(inventory, ref, owner="blog")
    with pytest.raises(NotOursError):
        await probe(inventory, inventory.stranger)
    assert inventory.ports.probes == 0
