"""PlanRestore: where an archive can become a new container, also on another Proxmox host that sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from services.common.core.errors import DomainError
from services.inventory.domain.archive_plans import ArchiveSummary, check_portable, list_unrestored
from services.inventory.domain.disks import parse_configuration, parse_description, read_disk_gb
from services.inventory.domain.errors import (
    ArchiveNotFoundError,
    ArchiveUnreadableError,
    ArchiveUnsuitableError,
    HostInactiveError,
    ProxmoxRefusedError,
)
from services.inventory.domain.interfaces import CandidateReader, HostStore, ProxmoxFleet
from services.inventory.domain.placement import Candidate
from services.inventory.domain.proxmox_api import ProxmoxApi
from services.inventory.domain.restore_plans import (
    NodePlan,
    PlanRequest,
    RestorePlan,
    RestoreTarget,
    describe_differences,
    describe_networks,
    plan_on_node,
)
from services.inventory.proxmox.archives import ArchiveVolume, check_name, read_configuration_file
from services.inventory.proxmox.isolation import isolate_host
from services.inventory.proxmox.marks import find_named_owner
from services.inventory.proxmox.nodes import list_bridges
from services.inventory.proxmox.shared_archives import Definitions, find_archives_of
from services.inventory.proxmox.storages import list_definitions, list_host_storages

_TIMEOUT_S = 15.0  # a person waits; callers wait 20 s
_ORIGIN_TIMEOUT_S = 5.0  # for the host that made the archive, which may be down for good


async def plan_restore(
    hosts: HostStore, fleet: ProxmoxFleet, *, candidates: CandidateReader, request: PlanRequest
) -> RestorePlan:
    """Find the archive on the host of the new container, and the node that it fits. Nothing is changed.

    Everything that stands in the way is an obstacle of the plan.

    Raises:
        ArchiveNotFoundError: the host has no such foreign archive, which the caller names itself.
        HostNotFoundError: there is no such host.
        HostInactiveError: it is switched off.
        HostUnreachableError: it does not answer.
    """
    host = await hosts.get_host(request.host_id)
    if not host.is_active:
        raise HostInactiveError(f"the host {host.name!r} is switched off")
    plan = RestorePlan(host_id=host.id, host_name=host.name)
    is_elsewhere = host.id != request.source.host_id
    async with isolate_host(host, timeout_s=_TIMEOUT_S):
        client = await fleet.get_client_of(host)

        async def read_definitions() -> Definitions:
            origin = await hosts.get_host(request.source.host_id)
            async with isolate_host(origin, timeout_s=_ORIGIN_TIMEOUT_S):
                return await list_definitions(await fleet.get_client_of(origin))

        try:
            check_name(request.source.volume_id)
            found = await find_archives_of(client, request.source, read_definitions=read_definitions)
            if not found.archives and request.is_foreign:
                raise ArchiveNotFoundError(found.problem)
            if not found.archives:
                return replace(plan, obstacles=(found.problem,))
            archive = found.archives[0]
            plan = replace(plan, archive=archive.volume_id)
            text = await read_configuration_file(client, archive)
            saved = parse_configuration(text)
            if request.is_foreign or is_elsewhere:
                check_portable(saved, is_full_root=client.access.is_full_root)
        except (ArchiveUnreadableError, ArchiveUnsuitableError, ProxmoxRefusedError) as error:
            return replace(plan, obstacles=(error.message,))
        plan = replace(plan, archived=_describe_container(archive, saved, text=text))
        targets = await _read_targets(client, await candidates.list_candidates(host), node=request.node)
    if not targets:
        return replace(plan, obstacles=(f"{host.name} has no node {request.node!r}",))
    # A local storage has the archive on some of its nodes only.
    seen = {one.node for one in found.archives}
    plan_on = partial(
        plan_on_node,
        saved,
        archive=plan.archive,
        archive_size=archive.size,
        made_by="" if request.is_foreign else await _find_version(hosts, request.source.host_id),
        request=request,
    )
    options = [(one.candidate, plan_on(_hide_archive(one, plan.archive, seen=seen))) for one in targets]
    is_full_root = client.access.is_full_root
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


def _describe_container(archive: ArchiveVolume, saved: Mapping[str, str], *, text: str) -> ArchiveSummary:
    """Describe an archive of this configuration, which is `saved` without its comments."""
    return ArchiveSummary(
        size=archive.size,
        created_at=archive.created_at,
        vmid=archive.vmid,
        owner=find_named_owner({"description": parse_description(text)}) or "",
        hostname=saved.get("hostname", ""),
        architecture=saved.get("arch", ""),
        disk_gb=read_disk_gb(saved),
        omitted=list_unrestored(saved),
    )


async def _find_version(hosts: HostStore, host_id: int) -> str:
    """Return the release that made an archive, as it was read last; the host may be gone by now."""
    try:
        return (await hosts.get_host(host_id)).version
    except DomainError:
        return ""


async def plan_archive_restore(
    hosts: HostStore, fleet: ProxmoxFleet, *, candidates: CandidateReader, request: PlanRequest
) -> RestorePlan:
    """PlanArchiveRestore, which apps of the release before calls: plan_restore, refused where anything stands in the way.

    Raises:
        ArchiveUnsuitableError: naming every obstacle.
        DomainError: as `plan_restore`.
    """
    plan = await plan_restore(hosts, fleet, candidates=candidates, request=request)
    if plan.obstacles:
        raise ArchiveUnsuitableError("; ".join(plan.obstacles))
    return plan
