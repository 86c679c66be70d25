"""A host that answers, and not as Proxmox VE: it is offline with a reason, and the other hosts go on."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from proximity.inventory.v1 import container_service_pb2 as cs
from proximity.inventory.v1 import inventory_service_pb2 as pb

from services.common.core.errors import DomainError
from services.inventory.domain.entities import Host, NewHost, Secrets
from services.inventory.domain.errors import (
    HostAnswerUnexpectedError,
    HostUnreachableError,
    WriteUncertainError,
)
from services.inventory.proxmox import answers
from services.inventory.proxmox.client import ProxmoxClient
from tests.contract.inventory.conftest import Inventory, new_call
from tests.fakes.web import Reply, Request, WebServer, serve_web

SIGN_IN = b"<!doctype html><title>Session expired \x1b[2J</title>"
ODD: dict[str, Reply] = {
    "HTML": Reply(SIGN_IN, headers={"Content-Type": "text/html"}),
    "HTML with an error's status": Reply(b"<html>nginx</html>", 502, "Bad Gateway"),
    "HTML that refuses": Reply(b"<html>log in first</html>", 401, "Unauthorized"),
    "JSON cut off": Reply(b'{"data": [{"type": "node", "no'),
    "nothing": Reply(b""),
    "null": Reply(b"null"),
    "data null": Reply(b'{"data": null}'),
    "a list": Reply(b"[]"),
    "a text": Reply(b'"OK"'),
    "another object": Reply(b'{"status": "ok"}'),
    "data of texts": Reply(b'{"data": ["a", "b"]}'),
    "data of another shape": Reply(b'{"data": {"version": 7, "0": [1]}}'),
    "data of objects without fields": Reply(b'{"data": [{}, {"type": "node"}]}'),
    "numbers that are none": Reply(
        b'{"data": [{"type": "node", "node": "a", "maxmem": "much"}, {"type": "lxc", "vmid": [], "node": "a"}]}'
    ),
    "infinity": Reply(b'{"data": [{"type": "lxc", "node": "a", "vmid": 1e999, "maxmem": NaN}]}'),
    "deep": Reply(b'{"data": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
    "deep objects": Reply(b'{"data": ' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}"),
    "many values": Reply(b'{"data": [' + b"{}," * (answers.MAX_VALUES // 2 + 1) + b"{}]}"),
    "names that lead elsewhere": Reply(
        b'{"data": [{"type": "node", "node": "../../access", "status": "online"}]}'
    ),
    "no UTF-8": Reply(b"\xff\xfe\x00caf\xe9"),
    "gzip": Reply(gzip.compress(b"[" * 50_000_000), headers={"Content-Encoding": "gzip"}),
    "a redirect": Reply(b"", 307, "Temporary Redirect", {"Location": "http://127.0.0.1:1/"}),
}


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[WebServer]:
    with serve_web(tmp_path / "odd", lambda _: Reply()) as web:
        yield web


async def add_odd(inventory: Inventory, web: WebServer, **changes: Any) -> Host:
    known = {"token_id": "root@pam!t", "secrets": Secrets(token_secret="secret"), **changes}
    return await inventory.store.add_host(
        NewHost(name="odd", host="127.0.0.1", port=web.port, fingerprint=web.fingerprint, **known)
    )


@pytest.mark.parametrize("kind", ODD)
async def test_an_odd_answer_concerns_its_host_alone(inventory: Inventory, odd: WebServer, kind: str) -> None:
    host = await add_odd(inventory, odd)
    odd.answer = lambda _: ODD[kind]
    tested = await inventory.hosts.test_host(pb.TestHostRequest(id=host.id), new_call())
    assert not tested.success
    assert "does not answer as Proxmox VE" in tested.message
    assert tested.message.isprintable()

    listed = await inventory.containers.list_containers(cs.ListContainersRequest(), new_call())
    assert {scan.host_id: scan.complete for scan in listed.scans} == {inventory.host.id: True, host.id: False}
    placed = await inventory.containers.place_container(cs.PlaceContainerRequest(memory_mb=256), new_call())
    assert placed.host_id == inventory.host.id

    with pytest.raises(DomainError, match="does not answer as Proxmox VE"):
        await inventory.hosts.sync_host_nodes(pb.SyncHostNodesRequest(id=host.id), new_call())
    shown = await inventory.hosts.get_host(pb.GetHostRequest(id=host.id), new_call())
    assert (shown.status, "does not answer as Proxmox VE" in shown.last_error) == ("offline", True)


@pytest.mark.parametrize("kind", ["HTML", "null", "a redirect", "deep", "JSON cut off"])
async def test_an_odd_answer_to_a_sign_in_is_no_refusal(
    inventory: Inventory, odd: WebServer, kind: str
) -> None:
    host = await add_odd(inventory, odd, token_id="", secrets=Secrets(password="secret"))
    odd.answer = lambda _: ODD[kind]
    tested = await inventory.hosts.test_host(pb.TestHostRequest(id=host.id), new_call())
    assert "does not answer as Proxmox VE" in tested.message


async def test_an_answer_that_breaks_off_is_none(inventory: Inventory, odd: WebServer) -> None:
    client = ProxmoxClient(await inventory.fleet.open_access(await add_odd(inventory, odd)), threads=1)
    cut = {"Content-Length": "999", "Connection": "close"}
    odd.answer = lambda _: Reply(b'{"data": []}', headers=cut)
    with pytest.raises(HostUnreachableError, match="without a whole answer"):
        await client.get("/cluster/resources")
    with pytest.raises(WriteUncertainError):
        await client.post("/nodes/pve/lxc", vmid=100)
    client.close()


async def test_an_answer_that_comes_byte_by_byte_has_an_end(
    inventory: Inventory, odd: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "_TOTAL_S", 0.0)
    client = ProxmoxClient(await inventory.fleet.open_access(await add_odd(inventory, odd)), threads=1)
    odd.answer = lambda _: Reply(b'{"data": []}')
    with pytest.raises(HostUnreachableError, match="timed out"):
        await client.get("/cluster/resources")
    client.close()


async def test_an_odd_answer_to_a_write_is_uncertain(inventory: Inventory, odd: WebServer) -> None:
    client = ProxmoxClient(await inventory.fleet.open_access(await add_odd(inventory, odd)), threads=1)
    odd.answer = lambda _: ODD["HTML"]
    with pytest.raises(WriteUncertainError, match="page of HTML"):
        await client.post("/nodes/pve/lxc", vmid=100)
    odd.answer = lambda _: Reply(b'{"data": {"upid": 1}}')
    with pytest.raises(WriteUncertainError, match="an object instead of a task"):
        await client.post("/nodes/pve/lxc", vmid=100)
    assert len(odd.requests) == 2  # each was sent once
    client.close()


async def test_no_answer_is_read_beyond_its_limit(
    inventory: Inventory, odd: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MAX_BYTES", 100_000)
    client = ProxmoxClient(await inventory.fleet.open_access(await add_odd(inventory, odd)), threads=1)
    odd.answer = lambda _: Reply(json.dumps({"data": {"hostname": "x" * 99_000}}).encode())
    assert len((await client.get("/nodes/pve/lxc/100/config"))["hostname"]) == 99_000
    odd.answer = lambda _: Reply(json.dumps({"data": {"hostname": "x" * 100_000}}).encode())
    with pytest.raises(HostAnswerUnexpectedError, match="more than 100000 bytes"):
        await client.get("/nodes/pve/lxc/100/config")
    assert {request.headers["Accept-Encoding"] for request in odd.requests} == {"identity"}
    client.close()


async def test_bytes_and_characters_that_are_no_text_are_replaced(
    inventory: Inventory, odd: WebServer
) -> None:
    client = ProxmoxClient(await inventory.fleet.open_access(await add_odd(inventory, odd)), threads=1)
    odd.answer = lambda _: Reply(b'{"data": {"hostname": "caf\xe9", "description": "half \\ud83d a pair"}}')
    found = await client.get("/nodes/pve/lxc/100/config")
    assert found == {"hostname": "caf\N{REPLACEMENT CHARACTER}", "description": "half ? a pair"}
    client.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_credentials_are_never_sent_where_a_redirect_leads(
    inventory: Inventory, odd: WebServer, tmp_path: Path, method: str
) -> None:
    with serve_web(tmp_path / "thief", lambda _: Reply(b'{"data": {}}')) as thief:
        secrets = Secrets(password="secret", token_secret="secret" if method == "GET" else "")
        token_id = "root@pam!t" if method == "GET" else ""
        host = await add_odd(inventory, odd, token_id=token_id, secrets=secrets)
        place = {"Location": f"https://127.0.0.1:{thief.port}/"}
        odd.answer = lambda _: Reply(b"", 307, "Temporary Redirect", place)
        tested = await inventory.hosts.test_host(pb.TestHostRequest(id=host.id), new_call())
        assert "redirect, which is not followed" in tested.message
        assert {request.method for request in odd.requests} == {method}
        assert thief.requests == []


async def test_proxmox_own_words_are_read_from_the_body(inventory: Inventory, odd: WebServer) -> None:
    client = ProxmoxClient(await inventory.fleet.open_access(await add_odd(inventory, odd)), threads=1)
    body = b'{"data": null, "message": "CT 100 is protected\\n"}'
    odd.answer = lambda _: Reply(body, 500, "Internal Server Error")
    with pytest.raises(DomainError, match=r"CT 100 is protected$"):
        await client.delete("/nodes/pve/lxc/100")
    client.close()


async def test_what_a_host_says_is_cut_to_what_a_status_can_carry(
    inventory: Inventory, odd: WebServer
) -> None:
    client = ProxmoxClient(await inventory.fleet.open_access(await add_odd(inventory, odd)), threads=1)
    errors = {f"parameter-{number}": "x" * 10_000 for number in range(1000)}
    body = json.dumps({"data": None, "message": "y" * 1_000_000, "errors": errors}).encode()
    odd.answer = lambda _: Reply(body, 400, "Parameter verification failed.")
    with pytest.raises(DomainError) as refused:
        await client.put("/nodes/pve/lxc/100/config", memory=1)
    assert 1000 < len(refused.value.message) < 8000
    client.close()


@pytest.mark.parametrize(
    ("version", "release", "success", "message"),
    [
        ("4.0.11", "11", False, "Proxmox Backup Server or another product"),
        ("soon", "", False, "another product"),
        ("7.4-3", "7.4", True, "warning: Proxmox VE 7.4-3 is not supported; 8.0 or newer is needed"),
    ],
)
async def test_other_products_and_old_releases_are_named(
    inventory: Inventory, odd: WebServer, version: str, release: str, *, success: bool, message: str
) -> None:
    host = await add_odd(inventory, odd)

    def answer(request: Request) -> Reply:
        found = {"version": version, "release": release} if request.path.endswith("/version") else {}
        return Reply(json.dumps({"data": found}).encode())

    odd.answer = answer
    tested = await inventory.hosts.test_host(pb.TestHostRequest(id=host.id), new_call())
    assert tested.success == success
    assert message in tested.message


async def test_the_ticket_of_another_product_is_refused(inventory: Inventory, odd: WebServer) -> None:
    host = await add_odd(inventory, odd, token_id="", secrets=Secrets(password="secret"))
    ticket = {"ticket": "PBS:root@pam:6B024ACF::AAAA", "CSRFPreventionToken": "x"}
    odd.answer = lambda _: Reply(json.dumps({"data": ticket}).encode())
    tested = await inventory.hosts.test_host(pb.TestHostRequest(id=host.id), new_call())
    assert "a ticket of Proxmox Backup Server" in tested.message
