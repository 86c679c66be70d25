"""CreateHost: a host is registered once, and its nodes are read."""

from __future__ import annotations

import pytest

from services.common.core.errors import InvalidError
from services.inventory.domain.entities import NewHost, Secrets
from services.inventory.domain.errors import HostDuplicateError
from services.inventory.usecases.hosts import create_host
from tests.fakes.inventory import CountingSync, InstantInventory


async def test_a_host_is_registered_once_per_request_and_its_nodes_are_read(
    inventory: InstantInventory,
) -> None:
    sync, new = CountingSync(), NewHost(name="lab", host="192.0.2.1", secrets=Secrets(password="x"))
    first = await create_host(inventory.parts.hosts, sync, new=new, request_id="r1")
    again = await create_host(inventory.parts.hosts, sync, new=new, request_id="r1")
    assert (first.id, first.is_default) == (again.id, False)
    assert sync.wakes == 2
    assert [host.name for host in await inventory.parts.hosts.list_hosts()] == ["pve", "lab"]


async def test_a_new_default_replaces_the_one_of_before(inventory: InstantInventory) -> None:
    new = NewHost(name="lab", host="192.0.2.1", is_default=True, secrets=Secrets(password="x"))
    await create_host(inventory.parts.hosts, CountingSync(), new=new)
    found = {host.name: host.is_default for host in await inventory.parts.hosts.list_hosts()}
    assert found == {"lab": True, "pve": False}


async def test_a_taken_name_is_refused_and_nothing_is_read(inventory: InstantInventory) -> None:
    sync, new = CountingSync(), NewHost(name="pve", host="192.0.2.1", secrets=Secrets(password="x"))
    with pytest.raises(HostDuplicateError, match="'pve'"):
        await create_host(inventory.parts.hosts, sync, new=new)
    assert sync.wakes == 0


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"host": "192.0.2.1:8006"}, "host"),
        ({"host": "no name"}, "host"),
        ({"secrets": Secrets()}, "password"),
        ({"token_id": "root@pam!x"}, "token_secret"),
        ({"secrets": Secrets(password="a\nb")}, "password"),
        ({"secrets": Secrets(password="********")}, "password"),
        ({"token_id": "root@pam!x", "secrets": Secrets(token_secret="********")}, "token_secret"),
        ({"secrets": Secrets(password="a", ssh_key="no key")}, "ssh_key"),
    ],
)
def test_an_address_or_credentials_that_cannot_work_are_refused(
    values: dict[str, object], field: str
) -> None:
    given = {"name": "lab", "host": "192.0.2.1", "secrets": Secrets(password="x"), **values}
    with pytest.raises(InvalidError) as refused:
        NewHost(**given)  # type: ignore[arg-type]  # of the test's choice
    assert refused.value.violations[0].field == field
