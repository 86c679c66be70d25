"""Containers that run on the hosts and belong to no app: finding them, and taking one over as an app."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from services.apps.domain.entities import App
from services.apps.domain.errors import (
    ContainerManagedError,
    ContainerNotFoundError,
    HostnameTakenError,
    HostsSilentError,
)
from services.apps.domain.interfaces import Container, Ref
from services.apps.domain.usecases import Requester, World, begin_new
from services.common.core.clock import now
from services.common.core.errors import invalid_field


async def discover_containers(world: World, host_id: int | None) -> Sequence[Container]:
    """Containers that no app owns; hosts that do not answer are left out while another does.

    Raises:
        HostsSilentError: no host answers.
    """
    scan = await world.containers.scan(host_id, with_addresses=True)
    if scan.silent and len(scan.silent) == len(scan.complete) + len(scan.skipped):
        raise HostsSilentError("; ".join(scan.silent.values()), retry_after=5)
    owned = {(app.host_id, app.vmid) for app in await world.store.list_all_apps(host_id=host_id)}
    return [
        container
        for container in scan.containers
        if (container.host_id, container.vmid) not in owned and not container.template
    ]


async def adopt_container(
    world: World, ref: Ref, asked: Requester, *, kind: str, port: int | None, owner_id: int
) -> App:
    """Record an app for a container that nobody owns, and take it over.

    Raises:
        ContainerNotFoundError: the host has no such container.
        ContainerManagedError: an app owns it.
        InvalidError: there is no user `owner_id`.
    """
    if owner_id != asked.user_id and not await world.users.has_user(owner_id):
        raise invalid_field("owner", f"there is no user {owner_id}")
    if not ref.host_id:
        ref = await _find_host(world, ref)
    container = await world.containers.find(ref)
    if container is None or container.template or (ref.node and container.node != ref.node):
        raise ContainerNotFoundError(f"node {ref.node} has no container {ref.vmid}")
    app = _adopted(container, asked, kind=kind, port=port, owner_id=owner_id)
    if container.owner and container.owner != app.id:
        raise ContainerManagedError(f"container {ref.vmid} belongs to {container.owner}")
    state = {"vmid": ref.vmid, "port": port}
    try:
        await world.store.add_app(app, begin_new(world, app, "adopt_container", asked, **state))
    except HostnameTakenError:  # it exists already; the platform only needs another name for it
        app = dataclasses.replace(app, hostname=f"{app.name[:52]}-{ref.vmid}")
        await world.store.add_app(app, begin_new(world, app, "adopt_container", asked, **state))
    return app


def _adopted(container: Container, asked: Requester, *, kind: str, port: int | None, owner_id: int) -> App:
    current = now()
    name = container.name or f"ct{container.vmid}"
    gigabyte = 1024**3
    return App(
        id=f"{kind}-{asked.operation_id[:8]}",
        catalog_id=kind,
        name=name,
        hostname=f"{name[:52]}-{container.vmid}" if len(name) < 3 else name[:63],
        status="adopting",
        host_id=container.host_id,
        node=container.node,
        vmid=container.vmid,
        owner_id=owner_id,
        runtime="adopted",
        internal_port=port,
        address=container.address,
        config={
            "memory": int(container.memory / 1024**2),
            "cores": container.cpus,
            "disk_size": int(container.disk / gigabyte),
        },
        adopted=True,
        created_at=current,
        updated_at=current,
        state_changed_at=current,
    )


async def _find_host(world: World, ref: Ref) -> Ref:
    scan = await world.containers.scan()
    for container in scan.containers:
        if container.vmid == ref.vmid and container.node == ref.node:
            return Ref(container.host_id, container.vmid, container.node)
    raise ContainerNotFoundError(f"node {ref.node} has no container {ref.vmid}")
