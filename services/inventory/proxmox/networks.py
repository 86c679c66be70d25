"""Static addresses of containers: reserved before they are used, and never the same one twice."""

from __future__ import annotations

import re
from collections.abc import Collection
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface, ip_network
from typing import Any, Protocol

from services.common.core.errors import invalid_field
from services.inventory.domain.entities import Network
from services.inventory.domain.errors import AddressTakenError
from services.inventory.domain.user_networks import (
    DHCP,
    STATIC,
    NetworkWish,
    UserNetwork,
    choose_network,
    list_networks,
    list_servers,
)
from services.inventory.proxmox.containers import View

_IP = re.compile(r"(?<=\bip=)[0-9.]+/\d+")


class Addresses(Protocol):
    """Who has which static address."""

    async def find_owner(self, address: str) -> str | None:
        """Return who holds an address, or None."""

    async def claim_address(self, host_id: int, owner: str, *, address: str) -> None:
        """Hold a chosen address, or raise AddressTakenError."""

    async def reserve_address(
        self, host_id: int, owner: str, *, subnet: IPv4Network | IPv6Network, taken: Collection[str]
    ) -> str:
        """Reserve a free address of a subnet; the same owner gets the same again."""


class NetworkDefaults(Protocol):
    """The network settings."""

    async def get_network(self) -> tuple[Network, Any]:
        """Return the default network and when it was changed."""

    async def list_user_networks(self) -> list[UserNetwork]:
        """Return what users may choose besides it."""


class Networks:
    """The addresses of containers."""

    def __init__(self, addresses: Addresses, defaults: NetworkDefaults) -> None:
        self._addresses = addresses
        self._defaults = defaults

    async def check_network(self, wish: NetworkWish, owner: str) -> UserNetwork:
        """Return the network that a deployment gets, before anything is made for it.

        Raises:
            InvalidError: users may not choose it, or no container can have the address.
            AddressTakenError: another app has the address.
        """
        default, _ = await self._defaults.get_network()
        network = choose_network(default, await self._defaults.list_user_networks(), wish)
        if wish.cidr not in (*DHCP, STATIC):
            address = str(ip_interface(wish.cidr).ip)
            if await self._addresses.find_owner(address) not in (None, owner):
                raise AddressTakenError(f"network_cidr: another app has the address {address}")
        return network

    async def claim_address(self, host_id: int, owner: str, *, cidr: str) -> None:
        """Reserve a chosen address for an app that is about to be recorded; nothing for DHCP and `static`.

        Raises:
            AddressTakenError: another app has it.
        """
        if owner and cidr not in (*DHCP, STATIC):
            await self._addresses.claim_address(host_id, owner, address=str(ip_interface(cidr).ip))

    async def give_address(
        self, host_id: int, owner: str, *, wanted: str, gateway: str, place: tuple[str, int] = ("", 0)
    ) -> tuple[str, str]:
        """Settle the address of a new container: DHCP, the one asked for, or one of the configured subnet.

        Args:
            host_id: where it will be.
            owner: the app.
            wanted: an address with its network, `static` for any of the subnet, else DHCP.
            gateway: used when it is in the address's network.
            place: the bridge, empty for the default one, and the VLAN, 0 for none.

        Returns:
            The address with its network, empty for DHCP; and its gateway, empty for none.

        Raises:
            InvalidError: what was asked for is no address with its network.
            AddressTakenError: another app has it.
            NoFreeAddressError: the subnet is full.
        """
        if not wanted or wanted == "dhcp":
            return "", ""
        if wanted == STATIC:
            default, _ = await self._defaults.get_network()
            wish = NetworkWish(bridge=place[0], vlan=place[1], cidr=STATIC, is_restricted=False)
            network = choose_network(default, await self._defaults.list_user_networks(), wish)
            network = network if network.subnet else list_networks(default, ())[0]
            subnet, gateway = ip_network(network.subnet), network.gateway
            taken = {gateway, *list_servers(default)}
            address = await self._addresses.reserve_address(host_id, owner, subnet=subnet, taken=taken)
            wanted = f"{address}/{subnet.prefixlen}"
        chosen = _parse(wanted)
        await self._addresses.claim_address(host_id, owner, address=str(chosen.ip))
        return wanted, gateway if gateway and ip_address(gateway) in chosen.network else ""

    async def settle_address(self, view: View, owner: str) -> None:
        """Give a copy an address of its own before it starts: it was made with that of what it was copied from."""
        changes: dict[str, Any] = {}
        for name, value in view.config.items():
            found = _IP.search(str(value)) if re.fullmatch(r"net\d+", name) else None
            if found is not None and (
                other := await self._find_other(view, owner, str(value), found.group(0))
            ):
                changes[name] = _IP.sub(other, str(value))
        if changes:
            await view.client.put(f"{view.path}/config", **changes, digest=view.config.get("digest"))

    async def _find_other(self, view: View, owner: str, network: str, cidr: str) -> str:
        """Another address for a container whose address belongs to somebody else; empty when it may keep it."""
        host_id, here = view.client.access.host_id, _parse(cidr)
        if await self._addresses.find_owner(str(here.ip)) in (None, owner):
            await self._addresses.claim_address(host_id, owner, address=str(here.ip))
            return ""
        gateway = re.search(r"\bgw=([0-9.]+)", network)
        taken = {gateway.group(1)} if gateway else set()
        address = await self._addresses.reserve_address(host_id, owner, subnet=here.network, taken=taken)
        return f"{address}/{here.network.prefixlen}"


def _parse(text: str) -> Any:
    try:
        return ip_interface(text)
    except ValueError:
        raise invalid_field("network_cidr", f"{text[:60]!r} is no address with its network") from None
