"""Static addresses of containers: reserved before they are used, and never one that is in use."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from typing import Any

from services.common.core.errors import DomainError, invalid_field
from services.inventory.domain.containers import View
from services.inventory.domain.errors import AddressTakenError
from services.inventory.domain.interfaces import AddressStore, SettingsStore
from services.inventory.domain.links import NetworkSegment, parse_cidr, parse_links
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.domain.user_networks import (
    DHCP,
    STATIC,
    NetworkRequest,
    UserNetwork,
    choose_network,
    list_allowed,
    list_servers,
)
from services.inventory.proxmox.occupants import AddressScanner, Occupant, list_conflicts

_PLACING_S = 5.0  # the caller waits 10 s for a place, of which the nodes have taken some
_CREATING_S = 25.0  # the caller waits 60 s for the creation as a whole
_STARTING_S = 5.0  # a start is not worth waiting for a warning


class Networks:
    """The addresses of containers."""

    def __init__(self, addresses: AddressStore, defaults: SettingsStore, *, scanner: AddressScanner) -> None:
        self.addresses = addresses
        self._defaults = defaults
        self.scanner = scanner

    async def check_network(self, request: NetworkRequest) -> UserNetwork:
        """Return the network that a deployment gets, before a host is chosen for it.

        Raises:
            InvalidError: users may not choose it, or no container can have the address.
        """
        default, _ = await self._defaults.get_network()
        return choose_network(default, await self._defaults.list_user_networks(), request=request)

    async def take_address(
        self,
        client: ProxmoxApi,
        place: NetworkSegment,
        *,
        owner: str,
        cidr: str,
        timeout_s: float = _PLACING_S,
    ) -> None:
        """Reserve a chosen address on a host for an app; nothing for DHCP and `static`. No owner: only check it.

        Raises:
            AddressTakenError: another app, guest or node of the host has it.
            HostUnreachableError: the host does not say which guests it has.
        """
        if cidr in (*DHCP, STATIC):
            return
        host_id, address = client.access.host_id, str(parse_address(cidr).ip)
        holder = await self.addresses.find_owner(host_id, place, address=address)
        if holder not in (None, owner):
            raise AddressTakenError(f"network_cidr: another app ({holder}) has the address {address}")
        # An address that is reserved for this app already may be in use by its own container.
        if holder is None:
            occupants = await self.scanner.list_occupants(client, place, timeout_s=timeout_s)
            for one in list_conflicts(address, occupants):
                raise AddressTakenError(f"network_cidr: {address} on {place} is the address of {one.name}")
        if owner:
            await self.addresses.claim_address(host_id, place, owner=owner, address=address)

    async def give_address(
        self, client: ProxmoxApi, owner: str, *, wanted: str, gateway: str, place: NetworkSegment
    ) -> tuple[str, str]:
        """Choose and reserve the address of a new container: DHCP, the requested one, or one of the configured subnet.

        An app that has an address in that network already, as after the loss of its container, gets the same.

        Args:
            client: of the host where it will be.
            owner: the app.
            wanted: an address with its network, `static` for any of the subnet, else DHCP.
            gateway: used when it is in the address's network.
            place: the bridge, empty for the default one, and the VLAN.

        Returns:
            The address with its network, empty for DHCP; and its gateway, empty for none.

        Raises:
            InvalidError: the requested value is no address with its network.
            AddressTakenError: somebody else has it.
            NoFreeAddressError: the subnet is full.
        """
        if wanted in DHCP:
            return "", ""
        default, _ = await self._defaults.get_network()
        place = place if place.bridge else NetworkSegment(default.default_bridge, place.vlan)
        if wanted == STATIC:
            request = NetworkRequest(bridge=place.bridge, vlan=place.vlan, cidr=STATIC, is_restricted=False)
            network = choose_network(default, await self._defaults.list_user_networks(), request=request)
            network = network if network.subnet else list_allowed(default, ())[0]
            subnet, gateway = ip_network(network.subnet), network.gateway
        else:
            subnet = parse_address(wanted).network
        address = await self.addresses.find_address(client.access.host_id, place, owner=owner, subnet=subnet)
        if address is None and wanted == STATIC:
            address = await self.reserve(client, place, owner=owner, subnet=subnet, taken={gateway})
        elif address is None:
            address = str(parse_address(wanted).ip)
            await self.take_address(client, place, owner=owner, cidr=wanted, timeout_s=_CREATING_S)
        # A gateway outside of the subnet would be refused by Proxmox.
        return f"{address}/{subnet.prefixlen}", gateway if gateway and ip_address(gateway) in subnet else ""

    async def reserve(
        self,
        client: ProxmoxApi,
        place: NetworkSegment,
        *,
        owner: str,
        subnet: IPv4Network | IPv6Network,
        taken: Collection[str] = (),
        without: int = 0,
    ) -> str:
        """Reserve a free address of a subnet, apart from `taken` and from what guests other than `without` have.

        Raises:
            NoFreeAddressError: the subnet is full.
            HostUnreachableError: the host does not say which guests it has.
        """
        default, _ = await self._defaults.get_network()
        occupants = await self.scanner.list_occupants(client, place, without=without, timeout_s=_CREATING_S)
        others = {*taken, *list_servers(default), *(one.address for one in occupants)}
        used = {
            str(found.ip) for text in others if (found := parse_cidr(text)) is not None
        }  # one spelling each
        return await self.addresses.reserve_address(
            client.access.host_id, place, owner=owner, subnet=subnet, taken=used
        )

    async def note_addresses(self, view: View, owner: str) -> None:
        """Reserve what the owner's container has, so that nobody else gets it; the container is not changed."""
        if found := _list_static(view):
            await self.addresses.note_addresses(view.client.access.host_id, owner, found=found)

    async def list_conflicts(self, view: View, *, unstarted: Collection[int] = ()) -> list[str]:
        """Return a line for each address of a container that another guest or node of its host has too.

        As far as the host says; those on another bridge or VLAN are none, nor are those of `unstarted` copies, which get
        addresses of their own before they run.
        """
        found = _list_static(view)
        warnings: list[str] = []
        for place in dict.fromkeys(place for place, _ in found):
            others = await self._list_others(view, place, unstarted=unstarted)
            for address in (each for where, each in found if where == place):
                warnings += [
                    f"The address {address} on {place} is also that of {one.name}; the container is left as it is"
                    for one in list_conflicts(address, others)
                    if one.in_use
                ]
        return warnings

    async def _list_others(
        self, view: View, place: NetworkSegment, *, unstarted: Collection[int]
    ) -> list[Occupant]:
        try:
            return await self.scanner.list_occupants(
                view.client, place, without=view.vmid, unstarted=unstarted, timeout_s=_STARTING_S
            )
        except DomainError:
            return []


def _list_static(view: View) -> list[tuple[NetworkSegment, str]]:
    links = [link for link in parse_links(view.config) if not link.is_down]
    return [(link.place, str(each.ip)) for link in links for each in link.list_static()]


def parse_address(text: str) -> Any:
    """Parse an address with its network.

    Raises:
        InvalidError: it is none.
    """
    try:
        return ip_interface(text)
    except ValueError:
        raise invalid_field("network_cidr", f"{text[:60]!r} is no address with its network") from None
