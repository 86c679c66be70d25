"""Creation of containers, also where the VMID was taken meanwhile or a broken creation left something behind."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeVar

from services.apps.domain.changes import ChangeApp
from services.apps.domain.entities import App
from services.apps.domain.errors import StepFailedError
from services.apps.workflows.state import AppState, CreationState
from services.apps.workflows.steps.tools import Tools
from services.clients.inventory.values import NewContainer, Ref, Task
from services.common.core.errors import BusyError, TransientError
from services.common.operations.model import Context

TAKEN, BROKEN = "VMID_TAKEN", "CREATION_BROKEN"
_ATTEMPTS = 5  # each meets another VMID that was taken between reservation and creation
S = TypeVar("S", bound=AppState)
C = TypeVar("C", bound=CreationState)


async def make_first_container(
    tools: Tools, state: C, *, ctx: Context, ask: Callable[[C], Awaitable[Task]]
) -> C:
    """Make the first container of a new app, unless there is one with its mark: that one is taken over.

    Raises:
        StepFailedError: several containers may be the app's.
        DomainError: as `make_container`.
    """
    state = await take_over(tools, state, ctx=ctx)
    # An earlier attempt has begun a task: a running container is then this operation's own.
    known = bool(await ctx.list_upids())
    state = await make_container(tools, state, ctx=ctx, ask=ask)
    container = None if state.taken_over or known else await tools.find(state)
    if container is not None and container.status == "running":  # what is only made is never started
        await ctx.log(f"Container {state.vmid} runs already and is taken over", level="warning")
        state = dataclasses.replace(state, taken_over=True)
    return state


async def take_over(tools: Tools, state: C, *, ctx: Context) -> C:
    """The state with the container that carries the app's mark already; unchanged where there is none.

    The database may be older than reality: restored from a backup, or from a point in time, or a standby that had not
    everything. Then the operation made its container in a past that the database does not know.

    Raises:
        StepFailedError: several carry the mark and none has the app's hostname alone, or it is on another host.
        UnavailableError: the host does not say.
    """
    app = await tools.apps.get_app(state.app_id)
    marked = await tools.containers.find_owned_containers(
        app.id, host_id=state.host_id, hostname=app.hostname
    )
    if not marked or any((one.host_id, one.vmid) == (state.host_id, state.vmid) for one in marked):
        return state
    here = [one for one in marked if one.host_id == state.host_id]
    named = here if len(marked) == 1 else [one for one in here if one.name == app.hostname]
    if len(named) != 1:
        places = ", ".join(f"{one.vmid} of host {one.host_id}" for one in marked)
        raise StepFailedError(
            f"a second container would be made: {places} carries the mark of {app.id} already; "
            "reconcile names it as a duplicate, and an administrator can have it destroyed"
        )
    await ctx.save(state)  # fails for a worker that has lost its lease, which must reserve nothing
    found = named[0]
    try:
        await tools.containers.adopt_container(Ref(found.host_id, found.vmid, found.node), owner=app.id)
    except BusyError as error:
        raise StepFailedError(
            f"container {found.vmid} carries the mark of {app.id} already, and another app has its id: {error.message}"
        ) from error
    state = dataclasses.replace(state, vmid=found.vmid, node=found.node, taken_over=True)
    await ctx.save(state, ChangeApp(app.id, {"vmid": found.vmid, "node": found.node}))
    await ctx.log(
        f"Container {found.vmid} carries the app's mark already and is taken over; no second one is made",
        level="warning",
    )
    return state


async def make_container(tools: Tools, state: S, *, ctx: Context, ask: Callable[[S], Awaitable[Task]]) -> S:
    """Ask for the task that makes the app's container and follow it; the state has another id when that was taken.

    Raises:
        TransientError: something was in the way again and again.
        DomainError: as the task.
    """
    for _ in range(_ATTEMPTS):
        try:
            task = await ask(state)
        except BusyError as error:
            if error.reason == TAKEN:
                state = await _take_another(tools, state, ctx=ctx)
            elif error.reason == BROKEN:
                await tools.act(
                    "destroy", state, ctx=ctx
                )  # may wait for long: the line comes once, when it is done
                await ctx.log(
                    f"A broken creation had left container {state.vmid}: destroyed, and created again",
                    level="warning",
                )
            else:
                raise
        else:
            await tools.finish(task, ctx)
            return state
    raise TransientError(f"container {state.vmid} could not be made: its id was taken {_ATTEMPTS} times")


async def _take_another(tools: Tools, state: S, *, ctx: Context) -> S:
    """Give the id back that somebody else uses, and write another one down."""
    await ctx.save(state)  # fails for a worker that has lost its lease, which must reserve nothing
    await tools.containers.release_vmid(state.host_id, state.app_id)
    vmid = await tools.containers.reserve_vmid(state.host_id, state.app_id)
    await ctx.log(f"The container id {state.vmid} was taken meanwhile; it is {vmid} now", level="warning")
    found = dataclasses.replace(state, vmid=vmid)
    await ctx.save(found, ChangeApp(state.app_id, {"vmid": vmid}))
    return found


def describe_container(app: App, image: str) -> NewContainer:
    """The container that an app runs in; `image` is the volume id of what an oci app runs."""
    config, rendering, oci = app.config, app.rendering, app.runtime == "oci"
    return NewContainer(
        hostname=app.hostname,
        memory=config.memory or 0,
        swap=config.swap or 0,
        cores=config.cores or 0,
        disk_size=config.disk_size or 0,
        template=image if oci else config.ostemplate,
        storage=config.storage,
        network_cidr=rendering.network_cidr,
        bridge=rendering.bridge,
        gateway=rendering.gateway,
        vlan=rendering.vlan,
        nameservers=rendering.nameservers,
        docker=not oci,
        oci=oci,
        environment=app.environment if oci else {},
        entrypoint=rendering.entrypoint if oci else "",
        mounts=rendering.mounts if oci else (),
        note=f"{app.name} ({app.catalog_id})",
        # Random and stored nowhere: commands run through the node, and nobody logs in with it.
        password="" if oci else secrets.token_urlsafe(24),
        devices=rendering.devices,
    )
