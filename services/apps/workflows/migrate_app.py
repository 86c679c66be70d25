"""Move an app to another node of its host."""

from __future__ import annotations

from services.apps.domain.entities import Change, ChangeApp
from services.apps.workflows.shared import Steps
from services.apps.workflows.snapshots import Snapshots
from services.apps.workflows.state import AppState, end_as_before, end_failed
from services.apps.workflows.tools import Tools
from services.common.operations.model import Context, Step, Workflow


def migrate_app(tools: Tools) -> Workflow:
    """Move the container, without snapshots of ours: Proxmox moves none of local storages."""
    snapshots: Snapshots[AppState] = Snapshots(tools)

    async def migrate_container(state: AppState, ctx: Context) -> AppState:
        await snapshots.clear(state, ctx)
        task = await tools.containers.migrate(state.ref, state.app_id, node=state.target_node)
        await tools.finish(task, ctx)
        return state

    async def look_where_it_is(state: AppState, ctx: Context) -> AppState:
        if not state.was_running:
            return state
        return (await Steps(tools).start_container.run(state, ctx)).state  # type: ignore[no-any-return]

    return Workflow(
        kind="migrate_app",
        steps=(
            Steps(tools).powering("migrate_container", "Moving the container", migrate_container, weight=10),
            Step("start_container", "Looking whether it runs", look_where_it_is),
        ),
        state_type=AppState,
        on_succeeded=_end_moved,
        on_failed=end_failed,
        timeout_s=6 * 3600,
    )


def _end_moved(state: AppState) -> tuple[Change, ...]:
    values = {"node": state.target_node, **({"address": state.address} if state.address else {})}
    return (*end_as_before(state), ChangeApp(state.app_id, values))
