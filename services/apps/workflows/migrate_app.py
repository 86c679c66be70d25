"""Move an app to another node of its host."""

from __future__ import annotations

from dataclasses import dataclass

from services.apps.domain.changes import Change, ChangeApp
from services.apps.workflows.state import AppState, end_as_before, end_failed
from services.apps.workflows.steps.container import Steps
from services.apps.workflows.steps.snapshot import clear_snapshots
from services.apps.workflows.steps.tools import Tools
from services.clients.inventory.values import TaskKind
from services.common.operations.model import Context, Step, WaitError, Workflow

_HA_S = 5.0  # between two looks: the manager acts every 10 s


@dataclass(frozen=True)
class MigrateState(AppState):
    """State of a migration; `target_node` is where the app goes."""

    target_node: str = ""


def migrate_app(tools: Tools) -> Workflow[MigrateState]:
    """Move the container, without snapshots of ours: Proxmox moves none of local storages."""
    steps: Steps[MigrateState] = Steps(tools)

    async def migrate_container(state: MigrateState, ctx: Context) -> MigrateState:
        if not await tools.has_done(TaskKind.HA_MIGRATE, state, ctx=ctx):
            await clear_snapshots(tools, state, ctx=ctx)
            task = await tools.containers.migrate_container(
                state.ref, owner=state.app_id, target_node=state.target_node
            )
            await tools.finish(task, ctx)
        container = await tools.find(state)
        if container is not None and container.node != state.target_node:  # the HA manager moves it later
            raise WaitError(
                f"the HA manager to move container {state.vmid} to {state.target_node}", delay=_HA_S
            )
        return state

    async def look_where_it_is(state: MigrateState, ctx: Context) -> MigrateState:
        if not state.was_running:
            return state
        return (await steps.start(state, ctx)).state

    return Workflow(
        kind="migrate_app",
        steps=(
            steps.powering("migrate_container", "Moving the container", run=migrate_container, weight=10),
            Step(
                "start_container",
                "Looking whether it runs",
                look_where_it_is,
                applies=lambda state: state.was_running,
            ),
        ),
        state_type=MigrateState,
        on_succeeded=_end_moved,
        on_failed=end_failed,
        timeout_s=6 * 3600,
    )


def _end_moved(state: MigrateState) -> tuple[Change, ...]:
    values = {"node": state.target_node, **({"address": state.address} if state.address else {})}
    return (*end_as_before(state), ChangeApp(state.app_id, values))
