"""Places for new containers: a host, a node, an address and a container id."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ipaddress import ip_interface

from services.common.core.errors import DomainError
from services.inventory.domain.entities import Host
from services.inventory.domain.errors import (
    AddressTakenError,
    BridgeNotFoundError,
    HostUnreachableError,
    NoFreeVmidError,
    ProxmoxRefusedError,
)
from services.inventory.domain.interfaces import CandidateReader, HostStore, ProxmoxFleet, VmidStore
from services.inventory.domain.links import NetworkSegment
from services.inventory.domain.placement import (
    Candidate,
    ChosenPlace,
    PlacementRequest,
    describe_oci_obstacle,
    rank_candidates,
)
from services.inventory.domain.user_networks import DHCP, STATIC, NetworkRequest
from services.inventory.proxmox.networks import Networks

_MOST_TAKEN_IDS = 50  # ids in a row that Proxmox refuses before the range counts as used up


async def choose_hosts(hosts: HostStore, host_id: int | None) -> list[Host]:
    """Return one host, or all active ones.

    Raises:
        HostNotFoundError: there is no such host.
    """
    if host_id is not None:
        return [await hosts.get_host(host_id)]
    return [host for host in await hosts.list_hosts() if host.is_active]


async def place_container(
    hosts: HostStore,
    candidates: CandidateReader,
    *,
    fleet: ProxmoxFleet,
    networks: Networks,
    request: PlacementRequest,
    network_request: NetworkRequest,
    host_id: int | None,
    owner: str,
) -> ChosenPlace:
    """Choose a host and node: one call per host, and one for the bridges of each place that is considered.

    Raises:
        NodeUnknownError: no host has the named node.
        NodeOfflineError: it is down.
        NoOnlineNodeError: none is up.
        StorageNotFoundError: no node in question has the named storage.
        BridgeNotFoundError: none has the bridge.
        InvalidError: users may not choose the network, or no container can have the address.
        AddressTakenError: another app, guest, node or host has the address.
    """
    network = await networks.check_network(network_request)
    await _check_host_addresses(hosts, network_request.cidr)
    answers = await asyncio.gather(
        *(candidates.list_candidates(host) for host in await choose_hosts(hosts, host_id))
    )
    ranked = rank_candidates([one for answer in answers for one in answer], request)
    chosen = await _choose_with_bridge(fleet, ranked, bridge=network_request.bridge and network.bridge)
    await networks.take_address(
        await fleet.get_client(chosen.host_id),
        NetworkSegment(network.bridge, network.vlan),
        owner=owner,
        cidr=network_request.cidr,
    )
    return ChosenPlace(
        candidate=chosen,
        oci_obstacle=describe_oci_obstacle(chosen),
        bridge=network.bridge,
        gateway=network.gateway,
    )


async def _check_host_addresses(hosts: HostStore, cidr: str) -> None:
    """Refuse the address of a Proxmox host or node."""
    if cidr in (*DHCP, STATIC):
        return
    # Two machines with one address take turns in answering: nobody would reach the host, nor would the platform.
    address = str(ip_interface(cidr).ip)
    names = {host.host for host in await hosts.list_hosts()}
    if address in names | {node.ip_address for node in await hosts.list_nodes()}:
        raise AddressTakenError(f"network_cidr: {address} is the address of a Proxmox host")


async def _choose_with_bridge(fleet: ProxmoxFleet, ranked: Sequence[Candidate], *, bridge: str) -> Candidate:
    """Return the first place that has the bridge, or whose node does not list its bridges to these credentials."""
    if not bridge:
        return ranked[0]
    silent: DomainError | None = None
    for one in ranked:
        client = await fleet.get_client(one.host_id)
        try:
            found = await client.get(f"/nodes/{one.node}/network", type="any_bridge")
        except HostUnreachableError as error:
            silent = error
            continue
        # A missing right is no missing bridge: where it is one too, Proxmox says so at the creation.
        except DomainError:
            return one
        if bridge in {str(entry.get("iface")) for entry in found}:
            return one
    if silent is not None:
        raise silent
    names = ", ".join(one.node for one in ranked)
    raise BridgeNotFoundError(f"bridge: {names} has no bridge {bridge!r} that the credentials may use")


async def reserve_vmid(vmids: VmidStore, fleet: ProxmoxFleet, *, host_id: int, owner: str) -> int:
    """Reserve a container id that neither Proxmox nor a reservation uses; the same owner gets the same again.

    Each id is checked with Proxmox too, as its list has only what the credentials may see.

    Raises:
        HostUnreachableError: the host does not list the ids in use.
        NoFreeVmidError: the range is used up.
    """
    reserved = await vmids.find_vmid(host_id, owner)
    if reserved is not None:
        return reserved
    client = await fleet.get_client(host_id)
    taken = {int(one["vmid"]) for one in await client.get("/cluster/resources", type="vm")}
    for _ in range(_MOST_TAKEN_IDS):
        # Reserved before it is checked: Proxmox would call the same id free for two creations at once.
        vmid = await vmids.reserve_vmid(host_id, owner, taken=taken)
        try:
            await client.get("/cluster/nextid", vmid=vmid)
        except ProxmoxRefusedError:
            await vmids.release_vmid(host_id, owner)
            taken.add(vmid)
        else:
            return vmid
    raise NoFreeVmidError(f"{_MOST_TAKEN_IDS} container ids in a row are taken by others on host {host_id}")


async def release_vmid(vmids: VmidStore, *, host_id: int, owner: str) -> None:
    """Release the id and the static addresses that an owner has reserved on a host; without any, do nothing."""
    await vmids.release_vmid(host_id, owner)
