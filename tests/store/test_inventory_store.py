"""Hosts, container ids and settings, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from services.common.core.config import ConfigError, read_settings
from services.common.core.errors import InvalidError
from services.common.db.database import Database
from services.common.identity.keys import Sealer
from services.inventory.config import InventorySettings
from services.inventory.domain.entities import NewHost, Node, Secrets
from services.inventory.domain.errors import (
    HostDuplicateError,
    HostInUseError,
    HostNotFoundError,
    NoFreeVmidError,
    VmidTakenError,
)
from services.inventory.domain.patches import DefaultResourceChanges, HostChanges, NetworkChanges
from services.inventory.server import add_first_host
from services.inventory.store import SqlHostStore, SqlSettingsStore, SqlVmidStore, hosts
from tests.databases import open_copy


@pytest.fixture(params=["sqlite", "postgresql"])
async def db(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    async with open_copy("inventory", request) as database:
        yield database


@pytest.fixture
def store(db: Database) -> SqlHostStore:
    return SqlHostStore(db, Sealer("s" * 40))


ENVIRONMENT = {
    "SECRET_KEY": "s" * 40,
    "DEBUG": "True",
    "PROXMOX_HOST": "192.0.2.1",
    "PROXMOX_PASSWORD": "x9f3kd81-Wq",
}


def make_host(name: str, *, is_default: bool = False) -> NewHost:
    return NewHost(name=name, host="192.0.2.1", is_default=is_default, secrets=Secrets(password="hush"))


async def test_the_first_host_is_the_default_until_another_is_made_it(store: SqlHostStore) -> None:
    await store.add_host(make_host("b"))
    await store.add_host(make_host("a"))
    assert [(host.name, host.is_default) for host in await store.list_hosts()] == [("b", True), ("a", False)]
    await store.add_host(make_host("c", is_default=True))
    assert [host.name for host in await store.list_hosts()] == ["c", "a", "b"]
    await store.add_host(make_host("B2"))
    await store.add_host(make_host("Ärger"))
    await store.add_host(make_host("ärmel"))
    names = [host.name for host in await store.list_hosts()]
    assert names == ["c", "a", "b", "B2", "Ärger", "ärmel"], "whatever the case"


async def test_the_host_of_the_environment_has_the_ssh_addresses_set_there(store: SqlHostStore) -> None:
    environment = ENVIRONMENT | {"PROXMOX_SSH_ADDRESSES": "pve2=203.0.113.7:2222, pve3=[2001:db8::7]:22"}
    await add_first_host(store, read_settings(InventorySettings, environment))
    [host] = await store.list_hosts()
    assert dict(host.ssh_addresses) == {"pve2": "203.0.113.7:2222", "pve3": "[2001:db8::7]:22"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("203.0.113.7", "'203.0.113.7' is not like pve1=192.0.2.7"),
        ("pve2=203.0.113.7:0", "ssh_addresses.pve2 '203.0.113.7:0' has no port"),
        ("pve2=203.0.113.7,pve2=203.0.113.8", "'pve2' has two addresses"),
        ("a/b=203.0.113.7", "ssh_addresses 'a/b' is no name of a node"),
    ],
)
def test_wrong_ssh_addresses_in_the_environment_are_named(text: str, fault: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_settings(InventorySettings, ENVIRONMENT | {"PROXMOX_SSH_ADDRESSES": text})
    assert f"PROXMOX_SSH_ADDRESSES: {fault}" in str(refused.value)


async def test_secrets_are_sealed_and_open_again(store: SqlHostStore, db: Database) -> None:
    host = await store.add_host(make_host("a"))
    stored = await db.read(lambda c: c.execute(sa.select(hosts.c.password)).scalar_one())
    assert "hush" not in stored
    assert (await store.get_secrets(host.id)).password == "hush"
    await store.update_host(host.id, HostChanges(password="new", name="z"))
    assert (await store.get_secrets(host.id)).password == "new"
    assert (await store.get_host(host.id)).name == "z"


@pytest.mark.parametrize(
    "change",
    [
        {"host": "192.0.2.9"},
        {"port": 18006},
        {"ssh_port": 2222},
        {"verify_ssl": False},
        {"fingerprint": ":".join(["AB"] * 32)},
    ],
)
async def test_stored_secrets_are_bound_to_their_destination(
    store: SqlHostStore, change: dict[str, Any]
) -> None:
    secrets = Secrets(password="hush", token_secret="hush")
    host = await store.add_host(NewHost(name="a", host="192.0.2.1", token_id="root@pam!t", secrets=secrets))
    others: tuple[dict[str, Any], ...] = ({}, {"password": "again"}, {"token_secret": "again"}, {"name": "b"})
    for given in others:
        with pytest.raises(InvalidError, match="is required again") as refused:
            await store.update_host(host.id, HostChanges(**change, **given))
        assert {one.field for one in refused.value.violations} == {"password", "token_secret"} - set(given)
    assert await store.get_host(host.id) == host
    same = {name: getattr(host, name) for name in change}
    assert (await store.update_host(host.id, HostChanges(**same, name="c"))).name == "c"
    await store.update_host(host.id, HostChanges(**change, password="again", token_secret="again"))
    assert (await store.get_secrets(host.id)) == Secrets(password="again", token_secret="again")


async def test_secrets_that_do_not_open_can_be_given_anew(store: SqlHostStore, db: Database) -> None:
    host = await store.add_host(make_host("a"))
    other = SqlHostStore(db, Sealer("t" * 40))
    await other.update_host(host.id, HostChanges(password="new"))
    assert (await other.get_secrets(host.id)).password == "new"


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("host", {"host": "192.0.2.1:8006"}),
        ("host", {"host": "pve.example.org:8006"}),
        ("host", {"host": "192.0.2.300"}),
        ("host", {"host": "a..b"}),
        ("password", {"secrets": Secrets(password="hush\n")}),
        ("token_secret", {"token_id": "t", "secrets": Secrets(token_secret="hush\n")}),
        ("token_secret", {"token_id": "t", "secrets": Secrets(token_secret="h\u00fcsh")}),
        ("token_id", {"token_id": "t\r\nX: y", "secrets": Secrets(token_secret="hush")}),
    ],
)
def test_a_host_that_could_never_be_reached_is_refused(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidError) as refused:
        NewHost(**{"name": "a", "host": "192.0.2.1", "secrets": Secrets(password="hush"), **changes})
    assert [one.field for one in refused.value.violations] == [field]
    assert "hush" not in refused.value.message


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "pve", "pve_1.example.org", "1a.example.org."])
def test_names_and_addresses_of_hosts_are_accepted(host: str) -> None:
    assert NewHost(name="a", host=host, secrets=Secrets(password="hush")).host == host


async def test_a_taken_name_is_refused_and_a_repetition_is_not(store: SqlHostStore) -> None:
    first = await store.add_host(make_host("a"), request_id="1" * 32)
    assert await store.add_host(make_host("a"), request_id="1" * 32) == first
    with pytest.raises(HostDuplicateError):
        await store.add_host(make_host("a"))


async def test_an_api_token_given_by_its_name_is_one_of_the_hosts_user(store: SqlHostStore) -> None:
    new = NewHost(name="a", host="192.0.2.1", user="proximity@pve", secrets=Secrets(password="hush"))
    host = await store.add_host(new)
    changed = await store.update_host(host.id, HostChanges(token_id="ci", token_secret="s"))
    assert changed.token_id == "proximity@pve!ci"
    changed = await store.update_host(host.id, HostChanges(token_id="ci", user="root@pam"))
    assert changed.token_id == "root@pam!ci"


async def test_nodes_are_replaced_by_what_was_seen_last(store: SqlHostStore) -> None:
    host = await store.add_host(make_host("a"))
    await store.note_answer(
        host.id, version="9.1", found=[Node(host.id, "n1", "online"), Node(host.id, "n2", "online")]
    )
    await store.note_answer(host.id, version="9.1", found=[Node(host.id, "n1", "offline")])
    assert [(node.name, node.status) for node in await store.list_nodes()] == [("n1", "offline")]
    await store.note_silence(host.id, "gone")
    assert ((await store.get_host(host.id)).status, (await store.list_nodes())[0].status) == (
        "offline",
        "unknown",
    )


async def test_ids_are_reserved_once_however_many_ask(store: SqlHostStore, db: Database) -> None:
    host = await store.add_host(make_host("a"))
    vmids = SqlVmidStore(db, lowest=9000, highest=9020)
    asked = [vmids.reserve_vmid(host.id, f"app-{n % 10}", taken={9003}) for n in range(20)]
    answers = await asyncio.gather(*asked)
    assert len(set(answers)) == 10
    assert 9003 not in answers
    assert answers[:10] == answers[10:]
    with pytest.raises(VmidTakenError):
        await vmids.claim_vmid(host.id, answers[0], owner="other")


async def test_a_host_with_apps_stays_until_they_are_gone(store: SqlHostStore, db: Database) -> None:
    host = await store.add_host(make_host("a"))
    vmids = SqlVmidStore(db, lowest=100, highest=100)
    assert await vmids.reserve_vmid(host.id, "app", taken=set()) == 100
    with pytest.raises(NoFreeVmidError):
        await vmids.reserve_vmid(host.id, "other", taken=set())
    with pytest.raises(HostInUseError):
        await store.delete_host(host.id)
    await vmids.release_vmid(host.id, "app")
    await store.delete_host(host.id)
    with pytest.raises(HostNotFoundError):
        await store.get_host(host.id)


async def test_ssh_keys_are_pinned_at_first_use(store: SqlHostStore) -> None:
    host = await store.add_host(make_host("a"))
    await store.pin_ssh_key(host.id, "h:22", public_key="one")
    await store.pin_ssh_key(host.id, "h:22", public_key="two")
    assert await store.find_ssh_key(host.id, "h:22") == "one"


async def test_settings_have_defaults_and_keep_what_is_not_changed(db: Database) -> None:
    settings = SqlSettingsStore(db)
    assert (await settings.get_resources())[0].default_memory_mb == 2048
    await settings.change_resources(DefaultResourceChanges(default_memory_mb=4096))
    changed, _ = await settings.change_resources(DefaultResourceChanges(default_cpu_cores=4))
    assert (changed.default_memory_mb, changed.default_cpu_cores) == (4096, 4)
    await settings.change_network(NetworkChanges(default_dns_secondary=""))
    assert (await settings.get_network())[0].default_dns_secondary == ""
