"""DiscoverContainers and AdoptContainer: containers of no app, and how one becomes an app."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from services.apps.domain.app_checks import require_stable
from services.apps.domain.changes import AddLog, ChangeApp
from services.apps.domain.config import AppConfig
from services.apps.domain.entities import App
from services.apps.domain.errors import ContainerManagedError, HostnameTakenError, HostsSilentError
from services.apps.domain.marks import find_holder, is_recognisable
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.new_operation import build_creation
from services.clients.auth.lookup import has_user
from services.clients.inventory.errors import ContainerNotFoundError
from services.clients.inventory.lookup import find_container
from services.clients.inventory.values import Container, Ref
from services.common.core.clock import now
from services.common.core.errors import invalid_field


async def discover_containers(dependencies: AppDependencies, host_id: int | None) -> Sequence[Container]:
    """Containers that no app owns; hosts that do not answer are left out while another does.

    What has the id of an app and does not carry its mark is a stranger's, or looks like it: it is shown.

    Raises:
        HostsSilentError: no host answers.
    """
    scan = await dependencies.containers.list_containers(host_id, with_addresses=True)
    # Without any answer, an empty list would mean that there is nothing to adopt.
    if scan.silent and len(scan.silent) == len(scan.complete) + len(scan.skipped):
        raise HostsSilentError("; ".join(scan.silent.values()), retry_after=5)
    apps = {(app.host_id, app.vmid): app for app in await dependencies.store.list_all_apps(host_id=host_id)}

    def is_shown(container: Container) -> bool:
        app = apps.get((container.host_id, container.vmid))
        if app is None:
            return not container.template
        return app.is_stable and container.node not in scan.missing_nodes and container.owner != app.id

    return [container for container in scan.containers if is_shown(container)]


async def adopt_container(
    dependencies: AppDependencies,
    ref: Ref,
    *,
    requester: Requester,
    kind: str = "",
    port: int | None = None,
    owner_id: int | None = None,
    replace_mark: bool = False,
) -> App:
    """Record an app for a container that nobody owns, and take it over.

    A container that was copied, or restored from an archive, in Proxmox itself carries the mark of the app that it was
    made of. It gets its own: where that app was removed here, at once; else when `replace_mark` confirms it.

    Raises:
        ContainerNotFoundError: the host has no such container.
        ContainerManagedError: an app owns it, or it carries a mark and `replace_mark` is not given.
        InvalidError: there is no user `owner_id` (None: the requester), or several hosts have such a container.
    """
    new_owner = owner_id or requester.user_id or 0
    if new_owner != requester.user_id and not await has_user(dependencies.users, new_owner):
        raise invalid_field("owner", f"there is no user {new_owner}")
    if not ref.host_id:
        ref = await _find_host(dependencies, ref)
    container = await find_container(dependencies.containers, ref)
    if container is None or container.template or (ref.node and container.node != ref.node):
        raise ContainerNotFoundError(f"node {ref.node} has no container {ref.vmid}")
    app = _describe_adopted(container, requester, kind=kind or "custom", port=port, owner_id=new_owner)
    await check_mark(dependencies, container, app_id=app.id, replace_mark=replace_mark)
    requester.name_target(f"app {app.id}, container {ref.vmid}, host {ref.host_id}")
    # Before the app is added, as the unique index allows one app for each VMID of a host.
    await _take_from_holder(dependencies, container, app_id=app.id)
    state = {"vmid": ref.vmid, "port": port, "replaced_mark": container.owner}
    try:
        await dependencies.store.add_app(
            app, build_creation(dependencies, app, kind="adopt_container", requester=requester, **state)
        )
    except HostnameTakenError:  # it exists already; the platform only needs another name for it
        app = dataclasses.replace(app, hostname=f"{app.name[:52]}-{ref.vmid}")
        await dependencies.store.add_app(
            app, build_creation(dependencies, app, kind="adopt_container", requester=requester, **state)
        )
    return app


async def check_mark(
    dependencies: AppDependencies, container: Container, *, app_id: str = "", replace_mark: bool = False
) -> None:
    """Refuse a container that is an app's, or carries the mark of anything but `app_id` without a confirmation.

    Raises:
        ContainerManagedError: naming the app or mark.
    """
    mark = container.owner
    # Its own mark: the request is repeated, and the first attempt has marked the container.
    if not mark or mark == app_id:
        return
    if holder := await find_holder(dependencies.store, mark):
        own = await dependencies.store.get_app(holder)
        if (own.host_id, own.vmid) == (container.host_id, container.vmid) or not own.is_stable:
            raise ContainerManagedError(f"container {container.vmid} belongs to {holder}")
        is_copy = f"container {container.vmid} carries the mark of {holder}, whose container is {own.vmid}: it is a copy"
    elif await dependencies.store.was_removed(mark):
        return
    else:
        is_copy = f"container {container.vmid} belongs to {mark}, which is no app of this platform"
    if not replace_mark:
        raise ContainerManagedError(
            f"{is_copy}; if it is to become an app of its own here, repeat the request with replace_mark: true"
        )


def check_holder(app: App, container: Container) -> None:
    """Refuse to let go of an app's container id, where another container seems to have it now.

    Raises:
        ContainerManagedError: what is there looks like the app's own container.
        AppBusyError: an operation on the app is under way.
    """
    require_stable(app)
    if is_recognisable(app, container):
        raise ContainerManagedError(
            f"container {container.vmid} is that of {app.id}, though its mark is missing: put the mark on again with "
            f"POST /api/apps/{app.id}/mark, or delete {app.id} first"
        )


async def _take_from_holder(dependencies: AppDependencies, container: Container, *, app_id: str) -> None:
    """Let go of the id of a container that is gone, where a stranger's container has it now; raises as `check_holder`."""
    for app in await dependencies.store.list_all_apps(host_id=container.host_id):
        if app.vmid != container.vmid or app.id in {app_id, container.owner}:  # the request may be repeated
            continue
        check_holder(app, container)
        await dependencies.containers.release_vmid(app.host_id, app.id)
        sentence = (
            f"its container {container.vmid} is gone: another one has the id and was adopted; delete the app, or "
            "restore one of its backups as a new app"
        )
        values: dict[str, object] = {
            "status": "error",
            "error": sentence,
            "vmid": None,
            "address": "",
            "conditions": [],
        }
        await dependencies.store.change(ChangeApp(app.id, values), AddLog(app.id, sentence, "error", "adopt"))


def _describe_adopted(
    container: Container, requester: Requester, *, kind: str, port: int | None, owner_id: int
) -> App:
    current = now()
    name = container.name or f"ct{container.vmid}"
    gigabyte = 1024**3
    return App(
        id=f"{kind}-{requester.operation_id[:8]}",
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
        config=AppConfig(
            memory=int(container.memory / 1024**2),
            cores=container.cpus,
            disk_size=max(1, int(container.disk / gigabyte)),
        ),
        adopted=True,
        created_at=current,
        updated_at=current,
        state_changed_at=current,
    )


async def _find_host(dependencies: AppDependencies, ref: Ref) -> Ref:
    """The host that has the container, where the caller names none.

    Raises:
        ContainerNotFoundError: none has it.
        InvalidError: several have one with this id on a node of this name.
    """
    scan = await dependencies.containers.list_containers()
    hosts = sorted({one.host_id for one in scan.containers if one.vmid == ref.vmid and one.node == ref.node})
    if not hosts:
        raise ContainerNotFoundError(f"node {ref.node} has no container {ref.vmid}")
    if len(hosts) > 1:
        names = " and ".join(str(host) for host in hosts)
        raise invalid_field(
            "host_id", f"hosts {names} each have a container {ref.vmid} on a node {ref.node}; name one"
        )
    return Ref(hosts[0], ref.vmid, ref.node)
