"""Steps on one container that several workflows have."""

from __future__ import annotations

import dataclasses
from typing import Generic, TypeVar

from services.apps.domain.changes import ChangeApp
from services.apps.domain.errors import StepFailedError
from services.apps.workflows.state import AppState
from services.apps.workflows.steps.tools import Tools
from services.clients.inventory.values import TaskKind
from services.common.operations.model import Context, Run, Step, StepResult

S = TypeVar("S", bound=AppState)
_MAKING = frozenset({TaskKind.CREATE, TaskKind.RESTORE, TaskKind.CLONE})
# Seconds after Proxmox gave its DHCP client up: an address may come by IPv6 or from the container itself.
_DHCP_WAIT_S = 5.0
_POWER = frozenset({TaskKind.START, TaskKind.STOP, TaskKind.SHUTDOWN, TaskKind.REBOOT, TaskKind.MIGRATE})


class Steps(Generic[S]):
    """Steps on one container, shared by workflows."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    @property
    def start_container(self) -> Step[S]:
        """The container runs."""
        return Step("start_container", "Starting the container", self.start, weight=4)

    def powering(self, name: str, description: str, *, run: Run[S], weight: float = 4) -> Step[S]:
        """A step that starts, stops or moves a container; cancelled, it is put back as it was."""

        async def look_and_run(state: S, ctx: Context) -> S | StepResult[S]:
            if not state.looked:
                container = await self._tools.find(state)
                running = container is not None and container.status == "running"
                state = dataclasses.replace(state, looked=True, was_running=running)
                if container is not None and container.node != state.node:  # moved since, by the HA manager
                    state = dataclasses.replace(state, node=container.node)
                    # Saved at once, as reconciliation and further steps look there.
                    await ctx.save(state, ChangeApp(state.app_id, {"node": container.node}))
                else:
                    await ctx.save(state)
            return await run(state, ctx)

        return Step(name, description, look_and_run, self._put_back, weight=weight)

    async def start(self, state: S, ctx: Context) -> StepResult[S]:
        """Start the container; commands run in it before it has an address, which the probe learns where there is one.

        Raises:
            StepFailedError: Proxmox requested its address by DHCP in its place and got none.
        """
        lines = await self._tools.act("start", state, ctx=ctx)
        failed = next((line for line in lines if "DHCP failed" in line), "")
        if failed and not await self._tools.find_address(state, within_s=_DHCP_WAIT_S):
            raise StepFailedError(
                f"container {state.vmid} got no address: {failed.strip()[:200]}. Check that a DHCP server answers on "
                "its bridge, or give it a static address (network_cidr)"
            )
        address = "" if state.has_port else await self._tools.wait_address(state)
        change = (ChangeApp(state.app_id, {"address": address}),) if address else ()
        return StepResult(dataclasses.replace(state, address=address), change)

    async def destroy(self, state: S, ctx: Context) -> S:
        """Stop and destroy the app's container, if it is there and ours."""
        if state.vmid is None:
            return state
        # A creation that still runs would write to the container that is destroyed.
        await self._tools.end_tasks(state, ctx, kinds=_MAKING)
        container = await self._tools.find(state)
        if container is None:
            return state
        # A broken creation leaves no mark, and either Proxmox's lock or a configuration without disks.
        is_wreck = not container.owner and (container.lock or container.bare)
        if container.owner != state.app_id and not is_wreck:
            await ctx.log(f"Container {state.vmid} is not the app's and is left alone", level="warning")
            return state
        if container.status == "running":
            await self._tools.act("stop", state, ctx=ctx)
        await self._tools.act("destroy", state, ctx=ctx)
        return state

    async def _put_back(self, state: S, ctx: Context) -> S:
        if not state.looked:
            return state  # Proxmox has not answered since it began: nothing was done
        await self._tools.end_tasks(state, ctx, kinds=_POWER)
        container = await self._tools.find(state)
        if container is None:
            return state
        if ctx.is_cancelled and (container.status == "running") != state.was_running:
            await self._tools.act("start" if state.was_running else "stop", state, ctx=ctx)
        return dataclasses.replace(state, node=container.node)
