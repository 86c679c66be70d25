"""Steps that make the container of a new app: an id, the container, and the way back."""

from __future__ import annotations

import dataclasses
from typing import TypeVar

from services.apps.domain.changes import ChangeApp
from services.apps.workflows.state import CreationState
from services.apps.workflows.steps.container import Steps
from services.apps.workflows.steps.container_creation import take_over
from services.common.operations.model import Context, Run, Step, StepResult

C = TypeVar("C", bound=CreationState)


class CreationSteps(Steps[C]):
    """Steps that make the container of a new app."""

    @property
    def reserve_vmid(self) -> Step[C]:
        """A container id of our own; undone by giving it back."""
        return Step("reserve_vmid", "Reserving a container id", self._reserve, self._release, weight=1)

    def destroying(self, name: str, description: str, *, run: Run[C], weight: float) -> Step[C]:
        """A step that makes a container; undone by destroying it, unless it was there before."""
        return Step(name, description, run, self.destroy_made, weight=weight)

    async def destroy_made(self, state: C, ctx: Context) -> C:
        """Destroy what this operation made; a container that was taken over may hold data and stays with its app."""
        if state.taken_over:
            await ctx.log(f"Container {state.vmid} was there before and is left as it is", level="warning")
            return state
        return await self.destroy(state, ctx)

    async def _reserve(self, state: C, ctx: Context) -> StepResult[C]:
        # Before a VMID is reserved, as the app may have a container with another one already.
        state = await take_over(self._tools, state, ctx=ctx)
        if state.taken_over:
            return StepResult(state)
        vmid = await self._tools.containers.reserve_vmid(state.host_id, state.app_id)
        await ctx.log(f"The container id is {vmid}")
        found = dataclasses.replace(state, vmid=vmid)
        return StepResult(found, (ChangeApp(state.app_id, {"vmid": vmid}),))

    async def _release(self, state: C, _ctx: Context) -> StepResult[C]:
        if state.taken_over:
            return StepResult(state)
        await self._tools.containers.release_vmid(state.host_id, state.app_id)
        change = ChangeApp(state.app_id, {"vmid": None, "address": ""})
        return StepResult(dataclasses.replace(state, vmid=None), (change,))
