"""PlanRestore: where an archive can become a new container, also on another Proxmox host that sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from services.common.core.errors import DomainError
from services.inventory.domain.archive_plans import check_portable
from services.inventory.domain.errors import (
    ArchiveUnreadableError,
    ArchiveUnsuitableError,
    HostInactiveError,
    ProxmoxRefusedError,
)
from services.inventory.domain.interfaces import CandidateReader, HostStore, ProxmoxFleet
from services.inventory.domain.placement import Candidate
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.domain.restore_plans import (
    ArchiveSource,
    NodePlan,
    RestorePlan,
    RestoreTarget,
    describe_differences,
    describe_networks,
    plan_on_node,
)
from services.inventory.proxmox.archives import read_configuration
from services.inventory.proxmox.isolation import isolate_host
from services.inventory.proxmox.nodes import list_bridges
from services.inventory.proxmox.shared_archives import Definitions, find_archives_of
from services.inventory.proxmox.storages import list_definitions, list_host_storages

_TIMEOUT_S = 15.0  # a person waits; callers wait 20 s
_ORIGIN_TIMEOUT_S = 5.0  # for the host that made the archive, which may be down for good


@dataclass(frozen=True, kw_only=True)
class PlanRequest:
    """A restore to plan.

    Attributes:
        host_id: for the new container.
        node: for it; empty: any.
        preferred: the node that is taken if it fits, where none is named.
        storage: wanted for the root disk.
    """

    source: ArchiveSource
    host_id: int
    node: str = ""
    preferred: str = ""
    storage: str = ""


async def plan_restore(
    hosts: HostStore, fleet: ProxmoxFleet, *, candidates: CandidateReader, request: PlanRequest
) -> RestorePlan:
    """Find the archive on the host of the new container, and the node that it fits. Nothing is changed.

    Everything that stands in the way is an obstacle of the plan.

    Raises:
        HostNotFoundError: there is no such host.
        HostInactiveError: it is switched off.
        HostUnreachableError: it does not answer.
    """
    host = await hosts.get_host(request.host_id)
    if not host.is_active:
        raise HostInactiveError(f"the host {host.name!r} is switched off")
    plan = RestorePlan(host_id=host.id, host_name=host.name)
    async with isolate_host(host, timeout_s=_TIMEOUT_S):
        client = await fleet.get_client_of(host)

        async def read_definitions() -> Definitions:
            origin = await hosts.get_host(request.source.host_id)
            async with isolate_host(origin, timeout_s=_ORIGIN_TIMEOUT_S):
                return await list_definitions(await fleet.get_client_of(origin))

        found = await find_archives_of(client, request.source, read_definitions=read_definitions)
        if not found.archives:
            return replace(plan, obstacles=(found.problem,))
        plan = replace(plan, archive=found.archives[0].volume_id)
        try:
            saved = await read_configuration(client, plan.archive)
            if host.id != request.source.host_id:
                check_portable(saved, is_full_root=client.access.is_full_root)
        except (ArchiveUnreadableError, ArchiveUnsuitableError, ProxmoxRefusedError) as error:
            return replace(plan, obstacles=(error.message,))
        targets = await _read_targets(client, await candidates.list_candidates(host), node=request.node)
    if not targets:
        return replace(plan, obstacles=(f"{host.name} has no node {request.node!r}",))
    made_by = await _find_version(hosts, request.source.host_id)
    # A local storage has the archive on some of its nodes only.
    seen = {one.node for one in found.archives}
    plan_on = partial(
        plan_on_node,
        saved,
        archive=plan.archive,
        archive_size=found.archives[0].size,
        made_by=made_by,
        storage=request.storage,
    )
    options = [(one.candidate, plan_on(_hide_archive(one, plan.archive, seen=seen))) for one in targets]
    is_elsewhere, is_full_root = host.id != request.source.host_id, client.access.is_full_root
    differences = describe_differences(saved, is_elsewhere=is_elsewhere, is_full_root=is_full_root)
    plan = replace(plan, networks=describe_networks(saved), warnings=tuple(differences))
    return _choose_node(plan, options, preferred=request.preferred)


def _choose_node(
    plan: RestorePlan, options: Sequence[tuple[Candidate, NodePlan]], *, preferred: str
) -> RestorePlan:
    """Choose the node that fits best; where none fits, the plan says what each lacks."""
    one, made = min(options, key=lambda each: _rank(*each, preferred=preferred))
    obstacles = tuple(f"node {each.node}: {its.obstacle}" for each, its in options)
    return replace(
        plan,
        node=one.node,
        storage=next((disk.storage for disk in made.disks if disk.disk.key == "rootfs"), ""),
        required=made.required,
        free=made.free,
        disks=made.disks,
        obstacles=obstacles if made.obstacle else (),
    )


def _rank(one: Candidate, made: NodePlan, *, preferred: str) -> tuple[bool, bool, float, str]:
    return bool(made.obstacle), one.node != preferred, -one.free_memory, one.node


def _hide_archive(target: RestoreTarget, archive: str, *, seen: set[str]) -> RestoreTarget:
    """Leave a local storage out on nodes whose storage of that name does not have the archive."""
    name = archive.partition(":")[0]
    found = [one for one in target.storages if one.name != name or one.shared or one.node in seen]
    return replace(target, storages=found)


async def _read_targets(client: ProxmoxApi, nodes: Sequence[Candidate], *, node: str) -> list[RestoreTarget]:
    chosen = [one for one in nodes if node in ("", one.node)]
    storages = await list_host_storages(client)
    online = [one for one in chosen if one.online]
    bridges = await asyncio.gather(*(list_bridges(client, one.node) for one in online))
    known = dict(zip((one.node for one in online), bridges, strict=True))
    return [RestoreTarget(candidate=one, storages=storages, bridges=known.get(one.node)) for one in chosen]


async def _find_version(hosts: HostStore, host_id: int) -> str:
    """Return the release that made an archive, as it was read last; the host may be gone by now."""
    try:
        return (await hosts.get_host(host_id)).version
    except DomainError:
        return ""
