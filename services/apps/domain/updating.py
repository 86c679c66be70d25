"""Changing an app: its name, its resources, its environment."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from services.apps.domain.deploying import render_again, update_record, version_of
from services.apps.domain.entities import MASK, AddLog, AddUpgrade, App, Begin, ChangeApp, Upgrade
from services.apps.domain.errors import AppStateError, NotAvailableError
from services.apps.domain.usecases import Asked, World, begin_on, require_stable
from services.common.core.errors import invalid_field

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
    """Change name, memory, cores, disk_size or environment.

    Only what the container has to follow becomes an operation. The name is a plain update, also while another
    operation is under way; together with other changes it is set when their operation begins, and stays when that
    fails.

    Raises:
        InvalidError: the disk would shrink, or the app has no such variable.
        QuotaExceededError: the owner's apps would take too much together.
        AppBusyError: another operation is under way.
        AppStateError: the app has no container that could be changed.
    """
    resources = {key: value for key, value in resources.items() if value != app.config.get(key)}
    if resources.get("disk_size", 0) and resources["disk_size"] < int(app.config.get("disk_size", 0)):
        raise invalid_field("disk", f"{resources['disk_size']} is less than now, and disks only grow")
    values: dict[str, Any] = {} if name is None or name == app.name else {"name": name}
    work = await _find_work(world, app, resources=resources, environment=_check_environment(app, environment))
    if not work:
        if values:
            renamed = AddLog(app.id, f"Renamed from {app.name} to {name}")
            await world.store.change(ChangeApp(app.id, values), renamed)
        return
    require_stable(app)
    if app.vmid is None:
        raise AppStateError(f"{app.id} has no container; delete it and deploy it again")
    has_environment = "environment" in work
    begin = _begin(world, app, asked, resources=resources, has_environment=has_environment)
    if any(value > int(app.config.get(key, 0)) for key, value in resources.items()):
        begin = dataclasses.replace(begin, quota=await world.quotas.get_quota(app.owner_id))
    kept = (AddUpgrade(_keep_former(begin.id, app, work)),) if has_environment else ()
    await world.store.begin(
        app.id, begin, values={**values, **work}, message=f"Changing {app.hostname}", changes=kept
    )


def _check_environment(app: App, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that are given another value; a masked value stands for the one that is there.

    Raises:
        InvalidError: the app has no such variable.
        NotAvailableError: the app was adopted.
    """
    if app.adopted and environment:
        raise NotAvailableError(f"{app.id} was adopted; its environment is not managed")
    given = {key: value for key, value in environment.items() if value != MASK}
    unknown = sorted(set(given) - set(app.environment))
    if unknown:
        raise invalid_field(f"environment.{unknown[0]}", f"{app.catalog_id} has no such input")
    return {key: value for key, value in given.items() if value != app.environment[key]}


async def _find_work(
    world: World, app: App, *, resources: Mapping[str, int], environment: Mapping[str, str]
) -> dict[str, Any]:
    """The columns whose change the container has to follow; empty when it is already as requested."""
    work: dict[str, Any] = {"config": {**app.config, **resources}} if resources else {}
    if not environment:
        return work
    merged = {**app.environment, **environment}
    if app.runtime != "compose":
        return {**work, "environment": merged}
    # A value that is no secret stands in the compose definition itself, so the definition is rendered again.
    rendering = await render_again(world.catalog, app, merged, revision=app.revision)
    record = update_record(app.rendering, rendering)
    if dict(rendering.environment) == dict(app.environment) and record == app.rendering:
        return work  # the catalog reads the new spelling as the value that is there
    return {**work, "environment": rendering.environment, "rendering": record}


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
