"""Changing an app: its name, its resources, its environment."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from services.apps.domain.deploying import render_again, update_record, version_of
from services.apps.domain.entities import AddUpgrade, App, Begin, Upgrade
from services.apps.domain.errors import AppStateError, NotAvailableError
from services.apps.domain.usecases import Asked, World, begin_on, require_stable
from services.common.errors import invalid_field

_NAMES = {"memory": "memory_mb", "cores": "cores", "disk_size": "disk_gb"}


async def update_app(
    world: World,
    app: App,
    asked: Asked,
    *,
    name: str | None,
    resources: Mapping[str, int],
    environment: Mapping[str, str],
) -> None:
    """Change name, memory, cores, disk_size or environment; only what the container must do is an operation.

    Raises:
        InvalidError: the disk would shrink.
        QuotaExceededError: the owner's apps would take too much together.
        AppBusyError: another operation is under way.
        AppStateError: the app has no container that could be changed.
    """
    require_stable(app)
    if resources.get("disk_size", 0) and resources["disk_size"] < int(app.config.get("disk_size", 0)):
        raise invalid_field("disk", f"{resources['disk_size']} is less than now, and disks only grow")
    if app.adopted and environment:
        raise NotAvailableError(f"{app.id} was adopted; its environment is not managed")
    masked = {key: value for key, value in environment.items() if value != "********"}
    unknown = sorted(set(masked) - set(app.environment))
    if unknown:
        raise invalid_field(f"environment.{unknown[0]}", f"{app.catalog_id} has no such input")
    if app.vmid is None and (resources or masked):
        raise AppStateError(f"{app.id} has no container; delete it and deploy it again")
    changed = await _change(world, app, masked, name=name, resources=resources)
    begin = _begin(world, app, asked, resources=resources, has_environment=bool(masked))
    if any(value > int(app.config.get(key, 0)) for key, value in resources.items()):
        begin = dataclasses.replace(begin, quota=await world.quotas.get_quota(app.owner_id))
    kept = (AddUpgrade(_keep_former(begin.id, app, changed)),) if masked else ()
    await world.store.begin(app.id, begin, values=changed, message=f"Changing {app.hostname}", changes=kept)


async def _change(
    world: World, app: App, environment: Mapping[str, str], *, name: str | None, resources: Mapping[str, int]
) -> dict[str, Any]:
    """The columns that change."""
    changed: dict[str, Any] = {"name": name} if name else {}
    changed["config"] = {**app.config, **resources}
    changed["environment"] = {**app.environment, **environment}
    if environment and app.runtime == "compose":
        rendering = await render_again(
            world.catalog, app, changed["environment"], revision=app.revision
        )  # what is no secret stands in the definition itself
        changed |= {
            "environment": rendering.environment,
            "rendering": update_record(app.rendering, rendering),
        }
    return changed


def _begin(
    world: World, app: App, asked: Asked, *, resources: Mapping[str, int], has_environment: bool
) -> Begin:
    changes: dict[str, Any] = {_NAMES[key]: value for key, value in resources.items()}
    if has_environment:
        changes["has_environment"] = True
    return begin_on(
        world,
        app,
        "update_app",
        asked,
        status="updating",
        changes=changes,
        former={_NAMES[key]: app.config[key] for key in resources if key in app.config},
        former_config=dict(app.config),
        kept_id=asked.operation_id if has_environment else "",
    )


def _keep_former(operation_id: str, app: App, changed: Mapping[str, Any]) -> Upgrade:
    """What the operation switches back to when it fails; forgotten at its end."""
    former = version_of(app)
    after = dataclasses.replace(
        former,
        environment=changed["environment"],
        rendering=changed.get("rendering", former.rendering),
    )
    return Upgrade(id=operation_id, app_id=app.id, before=former, after=after, status="current")
