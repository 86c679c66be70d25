"""Addresses in use on a host: of containers, virtual machines, nodes, and the gateways that they name."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from weakref import WeakKeyDictionary

from services.common.core.errors import DomainError
from services.common.core.log import get_logger
from services.inventory.domain.links import Link, NetworkSegment, list_link_addresses, parse_cidr, parse_links
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.proxmox.guest_interfaces import read_interfaces, read_machine_interfaces

log = get_logger()

_PARALLEL = 6  # of the 8 threads of a client: other requests go on meanwhile
_KINDS = {"lxc": "container", "qemu": "virtual machine"}


@dataclass(frozen=True)
class Occupant:
    """User of an address, named for people: `container 170`.

    Attributes:
        in_use: False where it is only named, as a gateway of others, which may be the guest in question, or on a
            link that is switched off.
    """

    address: str
    name: str
    in_use: bool = True


@dataclass(frozen=True)
class _Guest:
    """A guest as Proxmox lists it, with its links."""

    vmid: int
    node: str
    type: str
    is_running: bool
    links: tuple[Link, ...]
    has_agent: bool = False

    @property
    def name(self) -> str:
        return f"{_KINDS[self.type]} {self.vmid}"


class AddressScanner:
    """Finds the addresses in use on the network segments of hosts.

    Configurations are read anew each time. One that cannot be read, as that of a node that is down, counts as it was
    when it was read last.
    """

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[ProxmoxApi, dict[int, _Guest]] = WeakKeyDictionary()

    async def list_occupants(
        self,
        client: ProxmoxApi,
        place: NetworkSegment,
        *,
        without: int = 0,
        unstarted: Collection[int] = (),
        timeout_s: float,
    ) -> list[Occupant]:
        """Return the addresses in use on a network segment: configured ones, and those that running guests show.

        Args:
            client: of the host.
            place: the segment.
            without: a guest whose own addresses do not count.
            unstarted: guests that get other addresses before they run; theirs do not count until they do.
            timeout_s: for all guests together; one that is not read by then counts as it was read last.

        Raises:
            HostUnreachableError: the host does not say which guests it has.
        """
        resources = await client.get("/cluster/resources")
        deadline = asyncio.get_running_loop().time() + timeout_s
        slots = asyncio.Semaphore(_PARALLEL)
        guests = await self._read_guests(client, resources, slots=slots, deadline=deadline)
        here = [
            one
            for one in guests
            if one.vmid != without
            and (one.is_running or one.vmid not in unstarted)
            and any(link.place == place for link in one.links)
        ]
        online = [
            str(one["node"])
            for one in resources
            if one.get("type") == "node" and one.get("status") == "online"
        ]
        shown = await _gather(
            [
                *(_limit(slots, _read_shown(client, one, place=place)) for one in here if one.is_running),
                *(_limit(slots, _read_node(client, node)) for node in online),
            ],
            deadline=deadline,
        )
        found = [
            *(occupant for one in here for occupant in _list_configured(one, place)),
            *(o for each in shown for o in each),
        ]
        return list({(one.address, one.name): one for one in found}.values())

    async def _read_guests(
        self,
        client: ProxmoxApi,
        resources: Iterable[dict[str, Any]],
        *,
        slots: asyncio.Semaphore,
        deadline: float,
    ) -> list[_Guest]:
        known = self._known.setdefault(client, {})
        listed = {int(one["vmid"]): one for one in resources if one.get("type") in _KINDS}
        read = await _gather(
            [_limit(slots, _read_guest(client, one)) for one in listed.values()], deadline=deadline
        )
        fresh = {one.vmid: one for one in read if one is not None}
        # Their addresses may be given away: nothing is known of them, and the log is where an administrator finds that.
        if missing := sorted(listed.keys() - fresh.keys() - known.keys()):
            log.warning("guest_addresses_not_read", host_id=client.access.host_id, vmids=missing[:20])
        # Guests that were not read in time count as they were read last: their addresses are still theirs.
        merged = {**{vmid: one for vmid, one in known.items() if vmid in listed}, **fresh}
        self._known[client] = merged
        return list(merged.values())


async def _gather(work: Collection[Any], *, deadline: float) -> list[Any]:
    """Return the results of the work that ended in time."""
    tasks = [asyncio.ensure_future(one) for one in work]
    if not tasks:
        return []
    try:
        done, _ = await asyncio.wait(tasks, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
    finally:
        for task in tasks:
            task.cancel()
    return [task.result() for task in tasks if task in done and not task.cancelled()]


async def _limit(slots: asyncio.Semaphore, work: Any) -> Any:
    async with slots:
        return await work


async def _read_guest(client: ProxmoxApi, one: dict[str, Any]) -> _Guest | None:
    vmid, node, kind = int(one["vmid"]), str(one["node"]), str(one["type"])
    try:
        config = await client.get(f"/nodes/{node}/{kind}/{vmid}/config")
    except DomainError:
        return None
    agent = re.match(r"(?:enabled=)?1(?:,|$)|on(?:,|$)", str(config.get("agent") or ""))
    links = tuple(parse_links(config))
    return _Guest(vmid, node, kind, one.get("status") == "running", links, agent is not None)


async def _read_shown(client: ProxmoxApi, guest: _Guest, *, place: NetworkSegment) -> list[Occupant]:
    """The addresses that a running guest shows on a segment, such as leased ones."""
    if guest.type == "lxc":
        interfaces = await read_interfaces(client, guest.node, vmid=guest.vmid)
    else:
        interfaces = (
            await read_machine_interfaces(client, guest.node, vmid=guest.vmid) if guest.has_agent else []
        )
    links = [link for link in guest.links if link.place == place and not link.is_down]
    found = [address for link in links for address in list_link_addresses(interfaces, link)]
    return [Occupant(str(one.ip), guest.name) for one in found]


async def _read_node(client: ProxmoxApi, node: str) -> list[Occupant]:
    """The addresses of a node and its gateways, on whatever network they are."""
    try:
        rows = await client.get(f"/nodes/{node}/network")
    except DomainError:
        return []
    texts = [str(row.get(name) or "") for row in rows for name in ("cidr", "address", "cidr6", "address6")]
    gateways = [str(row.get(name) or "") for row in rows for name in ("gateway", "gateway6")]
    own = {str(found.ip) for text in texts if (found := parse_cidr(text)) is not None}
    others = {str(found.ip) for text in gateways if (found := parse_cidr(text)) is not None}
    return [
        *(Occupant(one, f"node {node}") for one in sorted(own)),
        *(Occupant(one, f"the gateway of node {node}", in_use=False) for one in sorted(others)),
    ]


def _list_configured(guest: _Guest, place: NetworkSegment) -> list[Occupant]:
    links = [link for link in guest.links if link.place == place]
    own = [
        Occupant(str(each.ip), guest.name, in_use=not link.is_down)
        for link in links
        for each in link.list_static()
    ]
    gateways = [
        Occupant(str(found.ip), f"the gateway of {guest.name}", in_use=False)
        for link in links
        for text in link.gateways
        if (found := parse_cidr(text)) is not None
    ]
    return [*own, *gateways]


def list_conflicts(address: str, occupants: Iterable[Occupant]) -> list[Occupant]:
    """Return the users of an address, guests before gateways, in the order of their names."""
    wanted = ip_address(address)
    same = [one for one in occupants if ip_address(one.address) == wanted]
    return sorted(same, key=lambda one: (not one.in_use, one.name))
