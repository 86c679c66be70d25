"""A snapshot of the container before a risky step: taken where its storage can, gone back to, never left behind."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from services.apps.workflows.state import AppState, ChangeState
from services.apps.workflows.steps.tools import Tools
from services.common.core.errors import DomainError, NotFoundError, is_transient
from services.common.operations.model import Context, Step, WaitError, find_wait, may_pass

_DIGITS = 12  # of the operation's id: Proxmox allows 40 characters in a name
_AGAIN_S = 2.0  # until the next attempt to delete a snapshot of a container that Proxmox works on
S = TypeVar("S", bound=ChangeState)


def name_snapshot(operation_id: str) -> str:
    """The name of the snapshot that an operation takes, so that it is found again after a crash."""
    return f"proximity-{re.sub(r'[^0-9A-Za-z]', '', operation_id)[:_DIGITS]}"


@dataclass(frozen=True)
class Snapshots(Generic[S]):
    """Steps on the snapshot of an operation; its name is in the state while there may be one."""

    tools: Tools

    def taking(self, find_risk: Callable[[S], str], *, instead: str, applies: Callable[[S], bool]) -> Step[S]:
        """The step that takes it; undone by deleting it, so what goes back to it is undone before.

        Args:
            find_risk: says what it is to be taken before, for a person; empty: nothing that needs one.
            instead: what a failure goes back to without it.
            applies: whether there may be a risk, as the operation is recorded.
        """

        async def take_snapshot(state: S, ctx: Context) -> S:
            risk = find_risk(state)
            return await self._take(state, ctx, before=risk, instead=instead) if risk else state

        return Step("take_snapshot", "Taking a snapshot", take_snapshot, self.drop, weight=2, applies=applies)

    def dropping(self, *, applies: Callable[[S], bool]) -> Step[S]:
        """The step that deletes it, once there is no way back."""
        return Step(
            "drop_snapshot", "Deleting the snapshot", self.drop, weight=1, cancellable=False, applies=applies
        )

    async def _take(self, state: S, ctx: Context, *, before: str, instead: str) -> S:
        """Take it, or say why there is none; work goes on without one."""
        # The name is saved before the snapshot is taken, so that a worker that takes over deletes it.
        state = replace(state, snapshot=name_snapshot(ctx.operation.id))
        await ctx.save(state)
        try:
            await self._act("make", state, ctx=ctx)
        except DomainError as error:
            # The engine retries what may pass; a storage that has no snapshots never will.
            if may_pass(error):
                raise
            await ctx.log(f"No snapshot before {before}: {error.message}; {instead}", level="warning")
            return replace(state, snapshot="")
        await ctx.log(f"Snapshot {state.snapshot} was taken before {before}")
        return state

    async def go_back(self, state: S, ctx: Context) -> bool:
        """Make the container what it was, stopped; False where there is no snapshot, or it cannot be gone back to."""
        if not state.snapshot or await self.tools.find(state) is None:
            return False
        try:
            await self._act("rollback", state, ctx=ctx)
        except DomainError as error:
            if may_pass(error):
                raise
            await ctx.log(f"The snapshot {state.snapshot} is of no use: {error.message}", level="warning")
            return False
        await ctx.log(f"The container is again what it was in the snapshot {state.snapshot}")
        return True

    async def drop(self, state: S, ctx: Context) -> S:
        """Delete it. What passes is waited for; what Proxmox refuses is left to the clean-up, and said.

        Raises:
            WaitError: Proxmox does not answer now.
        """
        if not state.snapshot:
            return state
        try:
            await self._act("delete", state, ctx=ctx)
        except NotFoundError:
            pass  # with its container
        except DomainError as error:
            if (wait := find_wait(error)) is not None:
                raise wait from error
            if is_transient(error):
                raise WaitError(
                    f"the snapshot {state.snapshot} to be deleted: {error.message}", delay=_AGAIN_S
                ) from error
            line = f"The snapshot {state.snapshot} could not be deleted: {error.message}; it is tried again later"
            await ctx.log(line, level="warning")
        return replace(state, snapshot="")

    async def _act(self, action: str, state: S, *, ctx: Context) -> None:
        containers = self.tools.containers
        begin = {
            "make": containers.snapshot_container,
            "rollback": containers.rollback_container,
            "delete": containers.delete_snapshot,
        }[action]
        task = await begin(state.ref, owner=state.app_id, name=state.snapshot)
        await self.tools.finish(task, ctx)


async def clear_snapshots(tools: Tools, state: AppState, *, ctx: Context) -> None:
    """Delete what earlier operations left: with it, disks cannot be moved."""
    try:
        names = await tools.containers.drop_snapshots(state.ref, owner=state.app_id, min_age_s=0)
    except DomainError as error:
        if may_pass(error):
            raise
        await ctx.log(f"Snapshots that were left could not be deleted: {error.message}", level="warning")
    else:
        for name in names:
            await ctx.log(f"Deleted the snapshot {name}, which was left behind")
