"""Replacement of the image that an app's container is made of; its volumes stay.

Proxmox cannot give a container another root: the container is made anew under its id. Meanwhile a second, stopped
container holds the volumes, which are only renamed. Every stage is written down before it is left, and each is done
again without harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from services.apps.domain.entities import App
from services.apps.domain.errors import StepFailedError
from services.apps.domain.marks import name_keeper
from services.apps.workflows.state import AppState, ChangeState
from services.apps.workflows.steps.container import Steps
from services.apps.workflows.steps.container_creation import BROKEN, TAKEN, describe_container, make_container
from services.apps.workflows.steps.snapshot import clear_snapshots
from services.apps.workflows.steps.tools import Tools
from services.clients.inventory.values import Container, NewContainer, Ref
from services.common.core.errors import BusyError, TransientError
from services.common.operations.model import Context, WaitError

_MOST_VOLUMES = 256  # Proxmox allows mp0 to mp255
_ATTEMPTS = 5  # each meets another VMID that was taken between reservation and creation
_SMALLEST_MB = 64  # memory of a container that is never started


@dataclass(frozen=True)
class ExchangeState(ChangeState):
    """State of the exchange of an image.

    Attributes:
        paths: where the old container has its volumes; None until it was looked.
        keeper_vmid: the container that holds the volumes meanwhile.
        stage: empty; parked: the keeper holds all volumes; made: the new container is there.
        image: volume id of the pulled OCI image.
    """

    paths: Sequence[str] | None = None
    keeper_vmid: int | None = None
    stage: str = ""
    image: str = ""


S = TypeVar("S", bound=ExchangeState)


@dataclass(frozen=True)
class Exchange(Generic[S]):
    """The stages of an exchange."""

    tools: Tools

    async def pull(self, state: S, ctx: Context, *, image: str) -> S:
        """Fetch an image to the node that the container is on, while that one still runs."""
        container = await self.tools.find(state)
        node = container.node if container else state.node
        await ctx.log(f"Downloading {image}")
        task = await self.tools.containers.pull_image(state.host_id, node, reference=image)
        return replace(state, node=node, image=await self.tools.finish(task, ctx))

    async def exchange(self, state: S, ctx: Context) -> S:
        """Make the container anew of the pulled image, with the volumes of the old one; it is left stopped."""
        app = await self.tools.apps.get_app(state.app_id)
        # Each stage is saved before the next begins, so that a worker that takes over goes on at the right one.
        if not state.stage:
            state = await self._park(state, ctx, app=app)
        if state.stage == "parked":
            state = await self._make(state, ctx, app=app)
        keeper = _state_of_keeper(state)
        if keeper.vmid is not None:
            await self._move(keeper, state, ctx=ctx)
        await self.clean_up(state, ctx)
        return state

    async def clean_up(self, state: S, ctx: Context) -> None:
        """Destroy the container that had the volumes, with what is left in it, and release its VMID."""
        keeper = _state_of_keeper(state)
        if keeper.vmid is not None:
            steps: Steps[AppState] = Steps(self.tools)
            await steps.destroy(keeper, ctx)
            await self.tools.containers.release_vmid(keeper.host_id, keeper.app_id)

    async def _park(self, state: S, ctx: Context, *, app: App) -> S:
        container = await self.tools.find(state)
        if state.paths is None:
            state = replace(await self._find_keeper(state, ctx, app=app), paths=())
            keeper = await self.tools.find(_state_of_keeper(state))
            mounts = [path for one in (container, keeper) for path in _list_mounts(one)]
            state = replace(state, paths=tuple(dict.fromkeys(mounts)))
            await ctx.save(state)
        if container is not None and container.status == "running":
            await self.tools.act("stop", state, ctx=ctx)
        if state.paths:
            if container is not None:
                # Proxmox moves no volume that a snapshot refers to.
                await clear_snapshots(self.tools, state, ctx=ctx)
            state = await self._make_keeper(state, ctx, app=app)
            await self._move(state, _state_of_keeper(state), ctx=ctx)
        return await _save_stage(state, ctx, stage="parked")

    async def _find_keeper(self, state: S, ctx: Context, *, app: App) -> S:
        """The state with a container that holds volumes of the app already, which an older database does not know.

        Raises:
            StepFailedError: there are several.
        """
        owner, hostname = name_keeper(app.id), _name_keeper_host(app)
        found = await self.tools.containers.find_owned_containers(
            owner, host_id=state.host_id, hostname=hostname
        )
        if not found:
            return state
        if len(found) > 1 or found[0].host_id != state.host_id:
            places = ", ".join(f"{one.vmid} of host {one.host_id}" for one in found)
            raise StepFailedError(
                f"containers hold volumes of {app.id} already and must be looked at: {places}"
            )
        keeper = found[0]
        await self.tools.containers.adopt_container(
            Ref(keeper.host_id, keeper.vmid, keeper.node), owner=owner
        )
        await ctx.log(
            f"Container {keeper.vmid} holds volumes of the app already; they are used", level="warning"
        )
        return replace(state, keeper_vmid=keeper.vmid)

    async def _make_keeper(self, state: S, ctx: Context, *, app: App) -> S:
        containers, owner = self.tools.containers, name_keeper(app.id)
        new = _describe_keeper(app, state.image)
        for _ in range(_ATTEMPTS):
            state = replace(state, keeper_vmid=await containers.reserve_vmid(state.host_id, owner))
            await ctx.save(state)
            keeper = _state_of_keeper(state)
            try:
                await self.tools.finish(
                    await containers.create_container(keeper.ref, owner=owner, new=new), ctx
                )
            except BusyError as error:
                if error.reason == TAKEN:
                    await containers.release_vmid(state.host_id, owner)
                elif error.reason == BROKEN:
                    await self.tools.act("destroy", keeper, ctx=ctx)
                else:
                    raise
            else:
                return state
        raise TransientError(f"no container could be made that holds the volumes of {app.id} meanwhile")

    async def _make(self, state: S, ctx: Context, *, app: App) -> S:
        await self.tools.act("destroy", state, ctx=ctx)
        new = describe_container(app, state.image)
        # Parked volumes are moved back; only those that the new image adds are created here.
        new = replace(new, mounts=tuple(one for one in new.mounts if one[0] not in (state.paths or ())))
        state = await make_container(
            self.tools,
            state,
            ctx=ctx,
            ask=lambda state: self.tools.containers.create_container(state.ref, owner=app.id, new=new),
        )
        return await _save_stage(state, ctx, stage="made")

    async def _move(self, source: AppState, target: AppState, *, ctx: Context) -> None:
        """Hand over every volume, one at a time."""
        for _ in range(_MOST_VOLUMES):
            task = await self.tools.containers.move_volume(
                source.ref, source_owner=source.app_id, target=target.ref, owner=target.app_id
            )
            if not await self.tools.finish(task, ctx):
                return
        raise StepFailedError(f"container {source.vmid} has more than {_MOST_VOLUMES} volumes")


async def _save_stage(state: S, ctx: Context, *, stage: str) -> S:
    state = replace(state, stage=stage)
    await ctx.save(state)
    return state


def _state_of_keeper(state: ExchangeState) -> AppState:
    owner = name_keeper(state.app_id)
    return AppState(app_id=owner, host_id=state.host_id, node=state.node, vmid=state.keeper_vmid)


def _name_keeper_host(app: App) -> str:
    return f"volumes-{app.hostname}"[:63].rstrip("-")


def _describe_keeper(app: App, image: str) -> NewContainer:
    """As small as can be, and never started."""
    new = describe_container(app, image)
    return replace(
        new,
        hostname=_name_keeper_host(app),
        memory=_SMALLEST_MB,
        swap=0,
        cores=1,
        network_cidr="",
        environment={},
        entrypoint="",
        mounts=(),
        note=f"Holds the volumes of {app.name} while it is updated",
    )


def _list_mounts(container: Container | None) -> tuple[str, ...]:
    if container is None:
        return ()
    # Taken for none, its volumes would be destroyed with the container that they are moved from.
    if container.mounts is None:
        raise WaitError("an inventory that names the volumes of a container")
    return container.mounts
