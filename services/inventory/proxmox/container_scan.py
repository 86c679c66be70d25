"""ContainerLookup as Proxmox reports them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from services.common.core.errors import DomainError
from services.inventory.domain.containers import View
from services.inventory.domain.disks import read_disk_gb
from services.inventory.domain.entities import Host
from services.inventory.domain.errors import HostUnreachableError
from services.inventory.domain.interfaces import ProxmoxFleet, VmidStore
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.domain.restore_tests import is_test_owner
from services.inventory.domain.scans import HostScan, ScannedContainer
from services.inventory.proxmox.candidates import find_timeout
from services.inventory.proxmox.guest_interfaces import find_address
from services.inventory.proxmox.isolation import isolate_host
from services.inventory.proxmox.marks import TAG, find_named_owner, find_owner, split_tags

_SCAN_TIMEOUT_S = 25.0  # of one host, in reconciliation, for which no user waits
_PARALLEL = 6  # reads at once, of the 8 threads of a client: other requests go on meanwhile
_ADDRESSES_S = 3.0  # for all addresses of a host together; those not known by then stay empty
_MARKS_S = 2.0  # for all marks of a host together; for those not read by then the reservation is believed


Fingerprint = tuple[str, str, float, tuple[str, ...]]


class SeenMarks:
    """Marks of a host's containers as they were read, with the attributes that they had then.

    Proxmox lists no marks, and reading them costs a call each. So one that was read, that a reservation confirms and
    whose attributes are the same is not read again; the reservation alone may be that of a backup that was restored, and the id
    somebody else's since. What one scan has no time for the next one reads.
    """

    def __init__(self) -> None:
        self._seen: dict[int, tuple[Fingerprint, str | None]] = {}

    def confirms(self, one: ScannedContainer, owner: str | None) -> bool:
        """Whether a container with these attributes carried the marks of `owner`."""
        return self._seen.get(one.vmid) == (_take_fingerprint(one), owner)

    def find(self, one: ScannedContainer) -> tuple[str | None] | None:
        """Return the owner of a container with these attributes when it was read; None when it was not read."""
        look, owner = self._seen.get(one.vmid, (None, None))
        return (owner,) if look == _take_fingerprint(one) else None

    def note(self, one: ScannedContainer, owner: str | None) -> None:
        """Remember the owner whose marks a container carries."""
        self._seen[one.vmid] = (_take_fingerprint(one), owner)

    def retain(self, vmids: Collection[int]) -> None:
        """Forget all others."""
        self._seen = {vmid: seen for vmid, seen in self._seen.items() if vmid in vmids}


def _take_fingerprint(one: ScannedContainer) -> Fingerprint:
    return one.name, one.node, one.disk, one.tags


class ProxmoxContainerScanner:
    """Lists the containers of hosts with their owners; remembers the marks that it read."""

    def __init__(self, fleet: ProxmoxFleet, vmids: VmidStore) -> None:
        self._fleet = fleet
        self._vmids = vmids
        self._marks: dict[int, SeenMarks] = {}

    async def scan(self, host: Host, *, with_addresses: bool, brief: bool) -> HostScan:
        """See `ContainerScanner.scan`."""
        timeout = find_timeout(host) if with_addresses or brief else _SCAN_TIMEOUT_S
        try:
            async with isolate_host(host, timeout_s=timeout):
                client = await self._fleet.get_client_of(host)
                owners = await self._vmids.list_owners(host.id)
                marks = self._marks.setdefault(host.id, SeenMarks())
                return await scan_host(client, owners, seen=marks, with_addresses=with_addresses)
        except DomainError as error:
            return HostScan(host.id, complete=False, error=error.message)

    async def find_owned(
        self, host: Host, owner: str, *, hostname: str, timeout_s: float
    ) -> list[ScannedContainer]:
        """See `ContainerScanner.find_owned`."""
        async with isolate_host(host, timeout_s=timeout_s):
            client = await self._fleet.get_client_of(host)
            owners = await self._vmids.list_owners(host.id)
            marks = self._marks.setdefault(host.id, SeenMarks())
            return await find_owned(client, owner, owners=owners, seen=marks, hostname=hostname)


async def read_container(view: View) -> ScannedContainer:
    """Return the container of a view, with its address when it runs."""
    one = _build(
        view.client, {**view.status, "node": view.node, "vmid": view.vmid, "tags": view.config.get("tags")}
    )
    address = await find_view_address(view) if view.is_running else ""
    # Variables of an image may be secrets, and no caller needs them.
    hidden = {name: value for name, value in view.config.items() if name != "env"}
    return replace(
        one,
        ip_address=address,
        owner=find_owner(view.config),
        named_owner=find_named_owner(view.config) or "",
        disk=read_disk_gb(view.config) * (1 << 30) or one.disk,
        lock=view.lock,
        config=hidden,
        name=str(view.config.get("hostname") or one.name),
    )


async def scan_host(
    client: ProxmoxApi,
    owners: Mapping[int, str],
    *,
    seen: SeenMarks,
    with_addresses: bool = False,
) -> HostScan:
    """Return all containers of a host by one call, and one for each with our tag whose marks are not known.

    Args:
        client: of the host.
        owners: who holds which container id there.
        seen: the marks that were read before; each with our tag that is not in it costs a call.
        with_addresses: find the addresses of running containers too, at two calls each, of as many as 3 s allow.
    """
    try:
        resources = await client.get("/cluster/resources")
    except DomainError as error:
        return HostScan(client.access.host_id, complete=False, error=error.message)
    missing = tuple(
        sorted(
            str(one["node"])
            for one in resources
            if one.get("type") == "node" and one.get("status") != "online"
        )
    )
    listed = [_build(client, one) for one in resources if one.get("type") == "lxc"]
    # The container of a restore test is nobody's app, nor one to adopt. It has no tags before it is restored.
    found = [one for one in listed if TAG in one.tags or not is_test_owner(owners.get(one.vmid))]
    why = f"nodes that do not answer: {', '.join(missing)}" if missing else ""
    # All marks of a large host at once would occupy every thread of its client.
    slots = asyncio.Semaphore(_PARALLEL)
    loop = asyncio.get_running_loop()
    began = loop.time()

    async def complete(one: ScannedContainer) -> ScannedContainer:
        async with slots:
            passed = loop.time() - began
            owner = owners.get(one.vmid)
            if TAG not in one.tags:
                owner = one.owner
            # Once the time is over, reservations are believed: a list that is late is worth nothing to a user.
            elif passed < _MARKS_S and not seen.confirms(one, owner):
                owner = await _read_owner(client, one, seen=seen, believed=owner)
            is_wanted = with_addresses and passed < _ADDRESSES_S and one.status == "running"
            address = await _find_listed_address(client, one) if is_wanted else ""
            return replace(one, owner=owner, ip_address=address)

    seen.retain({one.vmid for one in found})
    reachable = [one for one in found if one.node not in missing]
    done = await asyncio.gather(*(complete(one) for one in reachable))
    lost = tuple(one for one in found if one.node in missing)
    return HostScan(client.access.host_id, (*done, *lost), not missing, why, missing)


async def find_owned(
    client: ProxmoxApi, owner: str, *, owners: Mapping[int, str], seen: SeenMarks, hostname: str
) -> list[ScannedContainer]:
    """Return the containers of a host that carry an owner's marks, by one call and one for each mark not known yet.

    Unlike a scan it believes no reservation and has no limit of time: what it misses would be made a second time.

    Raises:
        HostUnreachableError: the host does not answer, or the marks of one that may be the owner's cannot be read.
    """
    found = [
        _build(client, one)
        for one in await client.get("/cluster/resources", type="vm")
        if one.get("type") == "lxc"
    ]
    slots = asyncio.Semaphore(_PARALLEL)

    async def is_owned(one: ScannedContainer) -> bool:
        if TAG not in one.tags:
            return False
        known = seen.find(one)
        if known is None:
            async with slots:
                known = await _try_read_owner(client, one, seen=seen)
        if known is None and (one.name == hostname or owners.get(one.vmid) == owner):
            raise HostUnreachableError(
                f"container {one.vmid} on node {one.node} may be that of {owner}, and the node does not answer"
            )
        return known is not None and known[0] == owner

    owned = await asyncio.gather(*(is_owned(one) for one in found))
    return [
        replace(one, owner=owner)
        for one, is_one in zip(found, owned, strict=True)
        if is_one and not one.template
    ]


async def _try_read_owner(
    client: ProxmoxApi, one: ScannedContainer, *, seen: SeenMarks
) -> tuple[str | None] | None:
    """The owner whose marks a container carries, as it is now; None where Proxmox does not say."""
    try:
        owner = find_owner(await client.get(f"/nodes/{one.node}/lxc/{one.vmid}/config"))
    except DomainError:
        return None
    seen.note(one, owner)
    return (owner,)


async def _read_owner(
    client: ProxmoxApi, one: ScannedContainer, *, seen: SeenMarks, believed: str | None
) -> str | None:
    read = await _try_read_owner(client, one, seen=seen)
    return believed if read is None else read[0]  # a node that does not answer proves nothing


async def find_view_address(view: View) -> str:
    """Return the address of the running container of a view; empty while it has none."""
    uptime = view.status.get("uptime")
    return await find_address(
        view.client,
        view.node,
        vmid=view.vmid,
        config=view.config,
        uptime=None if uptime in (None, "") else float(uptime),
    )


async def _find_listed_address(client: ProxmoxApi, one: ScannedContainer) -> str:
    """The address of a container that was only listed; its configuration says which interfaces are its own."""
    try:
        config = await client.get(f"/nodes/{one.node}/lxc/{one.vmid}/config")
    except DomainError:
        return ""
    return await find_address(client, one.node, vmid=one.vmid, config=config, uptime=one.uptime)


def _build(client: ProxmoxApi, one: dict[str, Any]) -> ScannedContainer:
    status = str(one.get("status") or "unknown")
    return ScannedContainer(
        host_id=client.access.host_id,
        host_name=client.access.name,
        vmid=int(one["vmid"]),
        node=str(one["node"]),
        name=str(one.get("name") or f"CT{one['vmid']}"),
        status=status if status in {"running", "stopped"} else "unknown",
        memory=float(one.get("maxmem") or 0),
        memory_used=float(one.get("mem") or 0),
        disk=float(one.get("maxdisk") or 0),
        disk_used=float(one.get("disk") or 0),
        uptime=float(one.get("uptime") or 0),
        cpus=math.ceil(float(one.get("maxcpu") or one.get("cpus") or 0)),
        cpu_usage=max(
            0.0, float(one.get("cpu") or 0.0)
        ),  # Proxmox says a little less than 0 of idle containers
        tags=tuple(split_tags(str(one.get("tags") or ""))),
        lock=str(one.get("lock") or ""),
        template=bool(int(one.get("template") or 0)),
    )
