"""One file per long operation, its steps in running order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from services.apps.domain.interfaces import PlanSteps
from services.apps.workflows.adopt_container import adopt_container
from services.apps.workflows.clone_app import clone_app, restore_beside
from services.apps.workflows.delete_app import delete_app
from services.apps.workflows.deploy_app import deploy_app
from services.apps.workflows.destroy_duplicate import destroy_duplicate
from services.apps.workflows.destroy_orphan import destroy_orphan
from services.apps.workflows.import_app import import_app
from services.apps.workflows.import_exported_app import import_exported_app
from services.apps.workflows.migrate_app import migrate_app
from services.apps.workflows.start_app import restart_app, start_app, stop_app
from services.apps.workflows.steps.tools import Tools
from services.apps.workflows.update_app import update_app
from services.apps.workflows.upgrade_app import UpgradeReader, rollback_app, upgrade_app
from services.clients.backups.interface import Backups
from services.common.operations.model import Workflow

_ALL: tuple[Callable[[Tools], Workflow[Any]], ...] = (
    deploy_app,
    start_app,
    stop_app,
    restart_app,
    delete_app,
    destroy_orphan,
    destroy_duplicate,
    clone_app,
    restore_beside,
    adopt_container,
    import_app,
    import_exported_app,
    update_app,
    migrate_app,
)


def plan_with(workflows: Mapping[str, Workflow[Any]]) -> PlanSteps:
    """Return the function that names the steps of a new operation, by its kind and state."""
    return lambda kind, state: workflows[kind].plan(state)


def build_workflows(tools: Tools, backups: Backups, *, upgrades: UpgradeReader) -> dict[str, Workflow[Any]]:
    """Every workflow by kind."""
    workflows: list[Workflow[Any]] = [build(tools) for build in _ALL]
    # Only these two request backups and read the versions of an upgrade.
    workflows += [build(tools, backups, upgrades=upgrades) for build in (upgrade_app, rollback_app)]
    return {workflow.kind: workflow for workflow in workflows}
