"""Networks of copies: a clone or a container made of an archive has the addresses of what it was copied from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from services.inventory.domain.containers import View
from services.inventory.domain.errors import CopyAddressError, NoFreeAddressError
from services.inventory.domain.links import Cidr, Link, parse_links, render_options, split_options
from services.inventory.proxmox.networks import Networks

_LINK = re.compile(r"net\d+")
_SMALLEST = 4  # addresses of a subnet in which there may be another one


async def readdress_copy(networks: Networks, view: View, *, owner: str) -> tuple[View, list[str]]:
    """Give each link of a copy addresses of its own, or take the link down where no other address is free.

    The copy has not run yet. Called again before it runs, this may choose other addresses.

    Returns:
        The copy as it is now, and a line for its log for each link that was changed.

    Raises:
        CopyAddressError: a raw line of the configuration, which only a person can change, gives it its address.
        HostUnreachableError: the host does not say which guests it has.
    """
    changes: dict[str, Any] = {}
    lines: list[str] = []
    taken: set[str] = set()
    for link in parse_links(view.config):
        # DHCP gives a copy an address of its own: its hardware address is new.
        if not link.list_static():
            continue
        key = f"net{link.number}"
        if key not in view.config:
            raise CopyAddressError(
                f"container {view.vmid} is a copy, and a raw line lxc.net.{link.number} of its configuration gives it the "
                f"address {link.list_static()[0].ip} of the original; change it in Proxmox before the copy starts"
            )
        options = split_options(str(view.config[key]))
        try:
            found = await _choose_addresses(networks, view, owner=owner, link=link, taken=taken)
        except NoFreeAddressError as error:
            options["link_down"] = "1"
            lines.append(f"{key} of the copy is switched off: {error.message}; give it an address in Proxmox")
        else:
            options |= found
            lines.append(
                f"{key} of the copy has {' and '.join(found.values())} instead of the original's address"
            )
        changes[key] = render_options(options)
    if not changes:
        return view, []
    await view.client.put(f"{view.path}/config", **changes, digest=view.config.get("digest"))
    config = {name: value for name, value in view.config.items() if name != "digest"}
    return replace(view, config={**config, **changes}), lines


def list_link_options(current: Mapping[str, Any], saved: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The options that leave a container's networks as they are while an archive is restored over it.

    Args:
        current: its configuration.
        saved: that in the archive; a link that the container does not have any more comes back switched off.
    """
    links = {name: str(value) for name, value in current.items() if _LINK.fullmatch(name)}
    gone = {
        name: str(value)
        for name, value in (saved or {}).items()
        if _LINK.fullmatch(name) and name not in links
    }
    return {
        **links,
        **{name: render_options(split_options(value) | {"link_down": "1"}) for name, value in gone.items()},
    }


async def _choose_addresses(
    networks: Networks, view: View, *, owner: str, link: Link, taken: set[str]
) -> dict[str, str]:
    """The options of a link that are changed: `ip`, `ip6` or both."""
    found: dict[str, str] = {}
    for each in link.list_static():
        address = await _reserve_another(networks, view, owner=owner, link=link, old=each, taken=taken)
        taken.add(address)
        found["ip" if each.version == 4 else "ip6"] = f"{address}/{each.network.prefixlen}"
    return found


async def _reserve_another(
    networks: Networks, view: View, *, owner: str, link: Link, old: Cidr, taken: set[str]
) -> str:
    if old.network.num_addresses < _SMALLEST:
        raise NoFreeAddressError(f"{old.network} has no other address")
    routers = {
        str(old.network[1]),
        str(old.network[-2]),
    }  # usually, also where the container names no gateway
    return await networks.reserve(
        view.client,
        link.place,
        owner=owner,
        subnet=old.network,
        taken={*taken, str(old.ip), *link.gateways, *routers},
        without=view.vmid,
    )
