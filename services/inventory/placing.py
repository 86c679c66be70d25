"""Where containers go and where they are, over all hosts."""

from __future__ import annotations

import asyncio
from ipaddress import ip_interface
from typing import Any

from proximity.inventory.v1 import container_service_pb2 as cs

from services.common.core.errors import DomainError
from services.inventory.convert import settings as convert_settings
from services.inventory.domain.entities import Host
from services.inventory.domain.errors import (
    AddressTakenError,
    BridgeNotFoundError,
    HostUnreachableError,
    NoFreeVmidError,
    ProxmoxRefusedError,
)
from services.inventory.domain.links import NetworkSegment
from services.inventory.domain.placement import Candidate, Wish, describe_oci_obstacle, rank_candidates
from services.inventory.domain.user_networks import DHCP, STATIC
from services.inventory.proxmox.containers import (
    ContainerRef,
    find_node,
    has_left,
    is_of_host,
    list_running_tasks,
)
from services.inventory.proxmox.fleet import Fleet
from services.inventory.proxmox.isolation import isolate_host
from services.inventory.proxmox.networks import Networks
from services.inventory.proxmox.nodes import read_version
from services.inventory.proxmox.reading import HostScan, ScannedContainer, SeenMarks, find_owned, scan_host
from services.inventory.proxmox.ways import Ways
from services.inventory.store import SqlHostStore, SqlVmidStore

_HOST_TIMEOUT_S = 25.0
# Where a user waits, a silent host must not hold up the answer about the others, least of all one known to be silent.
_ASKED_S = 9.0
_KNOWN_SILENT_S = 3.0
_HIDDEN_IDS = 50
# For the marks of all containers of a host. They are read once and then remembered, so asking again goes on where the
# time ended; below the 60 s that the caller waits.
_MARKS_S = 45.0
# For hosts where a container is not expected: what they do not say in time is found by reconciliation.
_ELSEWHERE_S = 3.0


class Placing:
    """Questions that concern hosts as a whole."""

    def __init__(
        self, hosts: SqlHostStore, vmids: SqlVmidStore, fleet: Fleet, ways: Ways, *, networks: Networks
    ) -> None:
        self._networks = networks
        self._hosts = hosts
        self._vmids = vmids
        self._fleet = fleet
        self._ways = ways
        self._seen: dict[int, SeenMarks] = {}
        self._asking: dict[int, asyncio.Task[list[Candidate]]] = {}

    async def place(self, request: cs.PlaceContainerRequest) -> cs.Placement:
        """Choose a host and node: one call per host, and one for the bridges of each place that is looked at.

        Raises:
            NodeUnknownError: no host has the named node.
            NodeOfflineError: it is down.
            NoOnlineNodeError: none is up.
            StorageNotFoundError: no node in question has the named storage.
            BridgeNotFoundError: none has the bridge.
            InvalidError: users may not choose the network, or no container can have the address.
            AddressTakenError: another app, guest, node or host has the address.
        """
        network = await self._networks.check_network(convert_settings.parse_network_wish(request))
        await self._check_hosts_apart(request.network_cidr)
        hosts = await self._choose_hosts(request.host_id if request.HasField("host_id") else None)
        answers = await asyncio.gather(*(self._list_candidates(host) for host in hosts))
        wish = Wish(request.node, request.memory_mb, request.storage, request.oci, request.disk_gb)
        ranked = rank_candidates([one for answer in answers for one in answer], wish)
        chosen = await self._take_bridged(ranked, request.bridge and network.bridge)
        obstacle = describe_oci_obstacle(chosen)
        await self._networks.take_address(
            await self._fleet.get_client(chosen.host_id),
            NetworkSegment(network.bridge, network.vlan),
            owner=request.owner,
            cidr=request.network_cidr,
        )
        return cs.Placement(
            host_id=chosen.host_id,
            host_name=chosen.host_name,
            node=chosen.node,
            oci=not obstacle,
            oci_reason=obstacle,
            exec_mode=chosen.exec_mode,
            bridge=network.bridge,
            gateway=network.gateway,
        )

    async def _check_hosts_apart(self, cidr: str) -> None:
        """Refuse the address of a Proxmox host or node."""
        if cidr in (*DHCP, STATIC):
            return
        address = str(ip_interface(cidr).ip)
        hosts, nodes = await self._hosts.list_hosts(), await self._hosts.list_nodes()
        if address in {*(host.host for host in hosts), *(node.ip_address for node in nodes)}:
            raise AddressTakenError(f"network_cidr: {address} is the address of a Proxmox host")

    async def _take_bridged(self, ranked: list[Candidate], bridge: str) -> Candidate:
        """The first place that has the bridge; a node that does not say which it has is taken at its word."""
        if not bridge:
            return ranked[0]
        silent: DomainError | None = None
        for one in ranked:
            client = await self._fleet.get_client(one.host_id)
            try:
                found = await client.get(f"/nodes/{one.node}/network", type="any_bridge")
            except HostUnreachableError as error:
                silent = error
                continue
            except DomainError:
                return one
            if bridge in {str(entry.get("iface")) for entry in found}:
                return one
        if silent is not None:
            raise silent
        names = ", ".join(one.node for one in ranked)
        raise BridgeNotFoundError(f"bridge: {names} has no bridge {bridge!r} that the credentials may use")

    async def reserve_vmid(self, host_id: int, owner: str) -> int:
        """Reserve a container id that neither Proxmox nor a reservation uses.

        Proxmox is asked about the very id too, as the list has only what the credentials may see.

        Raises:
            HostUnreachableError: the host does not say which are used.
        """
        held = await self._vmids.find_vmid(host_id, owner)
        if held is not None:
            return held
        client = await self._fleet.get_client(host_id)
        taken = {int(one["vmid"]) for one in await client.get("/cluster/resources", type="vm")}
        for _ in range(_HIDDEN_IDS):
            vmid = await self._vmids.reserve_vmid(host_id, owner, taken=taken)
            try:
                await client.get("/cluster/nextid", vmid=vmid)
            except ProxmoxRefusedError:
                await self._vmids.release_vmid(host_id, owner)
                taken.add(vmid)
            else:
                return vmid
        raise NoFreeVmidError(f"{_HIDDEN_IDS} container ids in a row are taken by others on host {host_id}")

    async def scan_hosts(
        self, host_id: int | None, *, with_addresses: bool = False, brief: bool = False
    ) -> list[HostScan]:
        """Return the containers of one host or of all; a host that does not answer says so in its scan."""
        hosts = await self._choose_hosts(host_id)
        return list(
            await asyncio.gather(
                *(self._scan(host, with_addresses=with_addresses, brief=brief) for host in hosts)
            )
        )

    async def find_owned(self, owner: str, *, host_id: int, hostname: str) -> list[ScannedContainer]:
        """Return the containers on any host that carry an owner's marks.

        Raises:
            HostUnreachableError: the host `host_id` does not say; others that do not answer are left out.
        """
        here = await self._hosts.get_host(host_id)
        others = [
            host for host in await self._choose_hosts(None) if host.id != host_id and host.status != "offline"
        ]
        found, *elsewhere = await asyncio.gather(
            self._find_owned_on(here, owner, hostname=hostname, timeout_s=_MARKS_S),
            *(self._find_owned_elsewhere(host, owner) for host in others),
        )
        return [*found, *(one for answer in elsewhere for one in answer)]

    async def _find_owned_elsewhere(self, host: Host, owner: str) -> list[ScannedContainer]:
        try:
            return await self._find_owned_on(host, owner, hostname="", timeout_s=_ELSEWHERE_S)
        except DomainError:
            return []

    async def _find_owned_on(
        self, host: Host, owner: str, *, hostname: str, timeout_s: float
    ) -> list[ScannedContainer]:
        async with isolate_host(host, timeout_s=timeout_s):
            client = await self._fleet.get_client_of(host)
            owners = await self._vmids.list_owners(host.id)
            seen = self._seen.setdefault(host.id, SeenMarks())
            return await find_owned(client, owner, owners=owners, seen=seen, hostname=hostname)

    async def list_tasks(self, ref: ContainerRef, *, include_finished: bool) -> list[dict[str, Any]]:
        """Return the tasks of a container, newest first."""
        client = await self._fleet.get_client(ref.host_id)
        node = ref.node or await find_node(client, ref.vmid) or ""
        if not node:
            return []
        if not include_finished:
            try:
                return list(await list_running_tasks(client, node, ref.vmid))
            except HostUnreachableError as error:
                if is_of_host(error) or not await has_left(client, node, ref.vmid):
                    raise
            node = (
                await find_node(client, ref.vmid) or ""
            )  # its node is down, and it was moved to another one
            return list(await list_running_tasks(client, node, ref.vmid)) if node else []
        found = await client.get(f"/nodes/{node}/tasks", vmid=ref.vmid, source="all", limit=100)
        return sorted(found, key=lambda one: -int(one.get("starttime") or 0))

    async def _choose_hosts(self, host_id: int | None) -> list[Host]:
        if host_id is not None:
            return [await self._hosts.get_host(host_id)]
        return [host for host in await self._hosts.list_hosts() if host.is_active]

    async def _scan(self, host: Host, *, with_addresses: bool, brief: bool) -> HostScan:
        try:
            patience = _find_patience(host) if with_addresses or brief else _HOST_TIMEOUT_S
            async with isolate_host(host, timeout_s=patience):
                client = await self._fleet.get_client_of(host)
                owners = await self._vmids.list_owners(host.id)
                seen = self._seen.setdefault(host.id, SeenMarks())
                return await scan_host(client, owners, seen, with_addresses=with_addresses)
        except DomainError as error:
            return HostScan(host.id, complete=False, error=error.message)

    async def _list_candidates(self, host: Host) -> list[Candidate]:
        """What a host offers; deployments that come at once share one answer."""
        task = self._asking.get(host.id)
        if task is None:
            task = self._asking[host.id] = asyncio.create_task(self._ask_candidates(host))
            task.add_done_callback(lambda _: self._asking.pop(host.id, None))
        return await asyncio.shield(task)

    async def _ask_candidates(self, host: Host) -> list[Candidate]:
        try:
            async with isolate_host(host, timeout_s=_find_patience(host)):
                client = await self._fleet.get_client_of(host)
                resources = await client.get("/cluster/resources")
                version = host.version or await read_version(client)
                obstacle = await self._ways.find_pull_obstacle(client)
                return _build_candidates(host, resources, version=version, obstacle=obstacle)
        except DomainError:
            nodes = await self._hosts.list_nodes(host.id)
            return [Candidate(host.id, host.name, node.name, online=False) for node in nodes]


def _build_candidates(
    host: Host, resources: list[dict[str, Any]], *, version: str, obstacle: str
) -> list[Candidate]:
    return [
        Candidate(
            host_id=host.id,
            host_name=host.name,
            node=str(one["node"]),
            online=one.get("status") == "online",
            is_default_host=host.is_default,
            free_memory=float(one.get("maxmem") or 0) - float(one.get("mem") or 0),
            version=version,
            exec_mode=host.exec_mode,
            storages=_measure_storages(resources, str(one["node"])),
            oci_obstacle=obstacle,
        )
        for one in resources
        if one.get("type") == "node"
    ]


def _measure_storages(resources: list[dict[str, Any]], node: str) -> dict[str, float]:
    """Free bytes of the storages of a node that take root disks."""
    return {
        str(one["storage"]): float(one.get("maxdisk") or 0) - float(one.get("disk") or 0)
        for one in resources
        if one.get("type") == "storage"
        and one.get("node") == node
        and one.get("status") == "available"
        and "rootdir" in str(one.get("content") or "rootdir").split(",")
    }


def _find_patience(host: Host) -> float:
    return _KNOWN_SILENT_S if host.status == "offline" else _ASKED_S
