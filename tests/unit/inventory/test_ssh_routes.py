"""Routes to the SSH servers of nodes: which one is used, and what is said when none works."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from services.common.core.errors import InvalidError
from services.inventory.domain.access import Access
from services.inventory.domain.errors import ExecUnavailableError, HostUnreachableError
from services.inventory.domain.ssh_addresses import parse_ssh_addresses, split_ssh_address
from services.inventory.proxmox import ssh_routes
from services.inventory.proxmox.client import ProxmoxClient
from services.inventory.proxmox.ssh_routes import SshRoute, connect_first, list_routes

A, B, C = (SshRoute(f"192.0.2.{number}", 22) for number in (1, 2, 3))
CLUSTER: list[dict[str, Any]] = [
    {"type": "cluster", "name": "c"},
    {"type": "node", "name": "pve1", "ip": "10.255.0.1", "local": 1},
    {"type": "node", "name": "pve2", "ip": "10.255.0.2", "local": 0},
]


async def try_routes(outcomes: dict[SshRoute, Any], closed: list[str] | None = None) -> str:
    async def connect(route: SshRoute) -> str:
        outcome = outcomes[route]
        if isinstance(outcome, asyncio.Event):
            await outcome.wait()
        elif isinstance(outcome, Exception):
            raise outcome
        return route.address

    sink = closed if closed is not None else []
    return await connect_first(list(outcomes), connect, node="pve2", close=sink.append)


async def test_the_first_route_that_works_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = HostUnreachableError("192.0.2.1 times out")
    assert await try_routes({A: "", B: ""}) == "192.0.2.1"
    assert await try_routes({A: silent, B: "", C: ""}) == "192.0.2.2"
    monkeypatch.setattr(ssh_routes, "_NEXT_AFTER_S", 0.01)
    assert await try_routes({A: asyncio.Event(), B: silent, C: ""}) == "192.0.2.3"


async def test_all_failures_are_named_together() -> None:
    silent, refused = HostUnreachableError("A times out"), ExecUnavailableError("B refuses root's sign-in")
    with pytest.raises(HostUnreachableError, match=r"^A times out$"):
        await try_routes({A: silent})
    with pytest.raises(
        ExecUnavailableError, match=r"node pve2 by none of 2 routes .*A times out; B refuses.*ssh_addresses"
    ):
        await try_routes({A: silent, B: refused})
    with pytest.raises(HostUnreachableError, match="none of 2 routes"):
        await try_routes({A: silent, B: silent})


class Cluster(ProxmoxClient):
    """A client whose cluster says what the test gives it."""

    def __init__(self, status: list[dict[str, Any]], **access: Any) -> None:
        super().__init__(
            Access(1, "home", "203.0.113.9", 8006, "root@pam", ssh_port=2222, **access), threads=1
        )
        self._status = status

    async def get(self, path: str, /, **params: Any) -> Any:
        assert path == "/cluster/status"
        return self._status


async def list_texts(node: str, status: list[dict[str, Any]], **access: Any) -> list[str]:
    client = Cluster(status, **access)
    try:
        return [str(one) for one in await list_routes(client, node)]
    finally:
        client.close()


async def test_the_registered_address_comes_before_the_clusters_own() -> None:
    own = "203.0.113.9:2222"
    assert await list_texts("pve1", CLUSTER) == [own, "10.255.0.1:2222"]
    assert await list_texts("pve2", CLUSTER) == [
        "10.255.0.2:2222",
        f"10.255.0.2:2222 via {own}",
        f"10.255.0.2:22 via {own}",
    ]
    assert await list_texts("pve7", []) == [own]
    set_by_admin = {"pve2": "198.51.100.2", "pve1": "[2001:db8::1]:2200"}
    assert (await list_texts("pve2", CLUSTER, ssh_addresses=set_by_admin))[0] == "198.51.100.2:2222"
    assert (await list_texts("pve1", CLUSTER, ssh_addresses=set_by_admin))[:2] == ["2001:db8::1:2200", own]


async def test_the_node_at_the_registered_address_is_that_one_whoever_answers() -> None:
    status = [{**one, "ip": "203.0.113.9"} if one["name"] == "pve2" else one for one in CLUSTER]
    assert await list_texts("pve2", status) == ["203.0.113.9:2222"]


@pytest.mark.parametrize(
    ("text", "split"),
    [
        ("192.0.2.7", ("192.0.2.7", 22)),
        ("192.0.2.7:2222", ("192.0.2.7", 2222)),
        ("node.example.org:1", ("node.example.org", 1)),
        ("2001:db8::7", ("2001:db8::7", 22)),
        ("[2001:db8::7]", ("2001:db8::7", 22)),
        ("[2001:db8::7]:65535", ("2001:db8::7", 65535)),
    ],
)
def test_an_address_may_have_a_port(text: str, split: tuple[str, int]) -> None:
    assert split_ssh_address(text, default_port=22) == split


@pytest.mark.parametrize(
    "text", ["", ":22", "a b", "a:0", "a:65536", "a:x", "[::1", "[::1]22", "[x]:22", "a:b:22", "a:²"]
)
def test_what_is_no_address_is_refused_by_its_node(text: str) -> None:
    with pytest.raises(InvalidError) as refused:
        parse_ssh_addresses({"pve2": text})
    assert [one.field for one in refused.value.violations] == ["ssh_addresses.pve2"]


def test_what_is_no_list_of_addresses_is_refused() -> None:
    for values in ({"a/b": "192.0.2.7"}, {"pve1": 7.0}, {f"n{number}": "192.0.2.7" for number in range(101)}):
        with pytest.raises(InvalidError, match="ssh_addresses"):
            parse_ssh_addresses(values)
