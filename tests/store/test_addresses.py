"""Reservations of addresses by host, bridge and VLAN, on SQLite and PostgreSQL, beside the release before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

import pytest
import sqlalchemy as sa

from services.common.core.clock import now
from services.common.db.database import Database, create_engine, insert_ignore
from services.common.db.migrations import upgrade
from services.common.identity.keys import Sealer
from services.inventory.domain.entities import NewHost, Secrets
from services.inventory.domain.errors import AddressTakenError, NoFreeAddressError
from services.inventory.domain.links import NetworkSegment
from services.inventory.store import SqlAddressStore, SqlHostStore, SqlVmidStore
from services.inventory.store.tables import addresses, hosts
from tests.databases import make_database

HOME, LAB = NetworkSegment("vmbr0"), NetworkSegment("vmbr0", 20)
SMALL = IPv4Network("10.0.0.0/30")
NEW_HOST = {
    "name": "one",
    "host": "192.0.2.1",
    "port": 8006,
    "user": "root@pam",
    "ssh_port": 22,
    "verify_ssl": True,
    "is_active": True,
    "is_default": True,
    "last_seen": None,
    "created_at": now(),
    "updated_at": now(),
    "request_id": None,
}
OLD = sa.table(
    "addresses",
    *(sa.column(each.name, each.type) for each in addresses.c if each.name not in ("bridge", "vlan")),
)  # as the release before knows it


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database."""
    is_sqlite = request.param == "sqlite"
    return (
        f"sqlite:///{tmp_path}/p.sqlite3" if is_sqlite else make_database(request.getfixturevalue("server"))
    )


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    await asyncio.to_thread(upgrade, url, "inventory")
    database = Database(create_engine(url, service="inventory"))
    host_store = SqlHostStore(database, Sealer("s" * 40))
    for name in ("one", "two"):
        await host_store.add_host(NewHost(name=name, host="192.0.2.1", secrets=Secrets(password="hush")))
    yield database
    await database.close()


@pytest.fixture
def store(db: Database) -> SqlAddressStore:
    return SqlAddressStore(db)


async def test_an_address_is_one_owners_on_its_network_alone(store: SqlAddressStore) -> None:
    for host_id, place, owner in (
        (1, HOME, "a"),
        (1, LAB, "b"),
        (2, HOME, "c"),
        (1, NetworkSegment("vmbr1"), "d"),
    ):
        await store.claim_address(host_id, place, owner=owner, address="10.0.0.2")
        await store.claim_address(host_id, place, owner=owner, address="10.0.0.2")
        assert await store.find_owner(host_id, place, address="10.0.0.2") == owner
    with pytest.raises(AddressTakenError, match="belongs to a"):
        await store.claim_address(1, HOME, owner="b", address="10.0.0.2")
    assert await store.find_owner(1, LAB, address="10.0.0.2") == "b"


async def test_what_is_reserved_at_once_is_reserved_once(store: SqlAddressStore) -> None:
    subnet = IPv4Network("10.0.0.0/28")
    owners = [f"app-{number}" for number in range(12)]
    work = (store.reserve_address(1, HOME, owner=one, subnet=subnet, taken={"10.0.0.1"}) for one in owners)
    found = await asyncio.gather(*work)
    assert len(set(found)) == len(owners)
    again = await store.reserve_address(1, HOME, owner=owners[3], subnet=subnet, taken={"10.0.0.1"})
    assert again == found[3]


async def test_hosts_share_an_address_only_when_no_other_is_free(store: SqlAddressStore) -> None:
    async def reserve(host_id: int, owner: str) -> str:
        return await store.reserve_address(host_id, HOME, owner=owner, subnet=SMALL, taken=())

    assert [await reserve(1, "a"), await reserve(2, "b"), await reserve(2, "c")] == [
        "10.0.0.1",
        "10.0.0.2",
        "10.0.0.1",
    ]
    with pytest.raises(NoFreeAddressError, match="vmbr0"):
        await reserve(2, "d")


async def test_a_container_with_several_addresses_has_them_all(store: SqlAddressStore) -> None:
    await store.claim_address(1, HOME, owner="other", address="10.0.0.3")
    found = [(HOME, "10.0.0.2"), (HOME, "fd00::2"), (LAB, "10.0.0.2"), (HOME, "10.0.0.3")]
    await store.note_addresses(1, "a", found=found)
    assert await store.find_owner(1, HOME, address="fd00::2") == "a"
    assert await store.find_owner(1, HOME, address="10.0.0.3") == "other"
    assert await store.find_address(1, HOME, owner="a", subnet=IPv6Network("fd00::/64")) == "fd00::2"
    await store.note_addresses(1, "a", found=found[2:])
    assert await store.find_owner(1, HOME, address="10.0.0.2") is None
    assert await store.find_owner(1, LAB, address="10.0.0.2") == "a"
    await store.release_address("a")
    assert await store.list_holders(before=now()) == [(1, "other")]


async def test_a_copy_is_one_until_it_has_its_own_addresses(db: Database) -> None:
    vmids = SqlVmidStore(db, lowest=100, highest=200)
    await vmids.reserve_vmid(1, "copy", taken=set())
    assert not await vmids.is_copy(1, "copy")
    await vmids.mark_copy(1, "copy", is_copy=True)
    assert [await vmids.is_copy(1, "copy"), await vmids.is_copy(2, "copy")] == [True, False]
    await vmids.mark_copy(1, "copy", is_copy=False)
    assert not await vmids.is_copy(1, "copy")


async def test_rows_of_the_release_before_count_for_every_network_of_their_host(url: str) -> None:
    await asyncio.to_thread(upgrade, url, "inventory", revision="0007")
    database = Database(create_engine(url, service="inventory"))
    there = await database.read(lambda c: {one["name"] for one in sa.inspect(c).get_columns("hosts")})
    before = [sa.column(column.name, column.type) for column in hosts.c if column.name in there]
    host = {column.name: NEW_HOST.get(column.name, "") for column in before if column.name != "id"}

    def write(owner: str, address: str) -> sa.Insert:
        return sa.insert(OLD).values(owner=owner, address=address, host_id=1, reserved_at=now())

    await database.write(lambda c: c.execute(sa.insert(sa.table("hosts", *before)).values(host)))
    await database.write(lambda c: c.execute(write("before", "10.0.0.1")))
    await asyncio.to_thread(upgrade, url, "inventory")
    await database.write(lambda c: c.execute(write("beside", "10.0.0.2")))
    store = SqlAddressStore(database)
    for place in (HOME, LAB):
        assert await store.find_owner(1, place, address="10.0.0.1") == "before"
        with pytest.raises(AddressTakenError):
            await store.claim_address(1, place, owner="new", address="10.0.0.2")
    await store.note_addresses(1, "before", found=[(LAB, "10.0.0.1")])
    assert await store.find_owner(1, HOME, address="10.0.0.1") is None
    assert await store.reserve_address(1, HOME, owner="new", subnet=SMALL, taken=()) == "10.0.0.1"
    row = {
        "address": "10.0.0.1",
        "owner": "x",
        "host_id": 1,
        "bridge": "vmbr0",
        "vlan": 0,
        "reserved_at": now(),
    }
    done = await database.write(lambda c: c.execute(insert_ignore(addresses, c).values(**row)).rowcount)
    assert done == 0
    await database.close()
