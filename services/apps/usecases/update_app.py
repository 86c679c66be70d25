"""UpdateApp: change the name, the resources or the values of an app."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.apps.domain.app_checks import require_container, require_stable
from services.apps.domain.changes import AddLog, AddUpgrade, ChangeApp
from services.apps.domain.entities import App, NewAppOperation, Upgrade
from services.apps.domain.marks import require_managed
from services.apps.domain.records import list_inputs, render_again, update_record, version_of
from services.apps.domain.values import ValueChanges, change_values, check_flags, list_disclosed
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.new_operation import build_operation
from services.common.core.errors import invalid_field

_NAMES = {"memory": "memory_mb", "cores": "cores", "disk_size": "disk_gb"}


@dataclass(frozen=True, kw_only=True)
class RequestedChanges:
    """Changes of an app that a request names.

    Attributes:
        plain: columns that the container does not depend on, by name: `name`.
        resources: memory in MB, cores, and the disk's size in GB, by their names in `config`.
        values: changes of the values of inputs.
    """

    plain: Mapping[str, Any] = field(default_factory=dict)
    resources: Mapping[str, int] = field(default_factory=dict)
    values: ValueChanges = field(default_factory=ValueChanges)


async def update_app(
    dependencies: AppDependencies, app_id: str, requester: Requester, changes: RequestedChanges
) -> App:
    """Change plain columns, resources or values of an app.

    Only what the container has to follow becomes an operation. A plain column is set at once, also while another
    operation is under way; together with other changes it is set when their operation begins, and stays when that
    fails.

    Raises:
        AppNotFoundError: there is no such app, or it is not the requester's.
        StepUpRequiredError: a secret value would be shown, and the user's sign-in is too long ago.
        InvalidError: the disk would shrink, or a value does not fit.
        QuotaExceededError: the owner's apps would take too much together.
        AppBusyError: another operation is under way.
        AppStateError: the app has no container that could be changed.
    """
    app = await dependencies.store.get_app(app_id, owner=requester.owner_filter)
    confirm_disclosure(app, changes.values, requester)
    # What stays as it is needs neither an operation nor quota.
    resources = {key: value for key, value in changes.resources.items() if value != app.config.get(key)}
    if resources.get("disk_size", 0) and resources["disk_size"] < int(app.config.get("disk_size", 0)):
        raise invalid_field("disk", f"{resources['disk_size']} is less than now, and disks only grow")
    # `plain`: columns that change at once; `work`: those whose change the container has to follow.
    plain = {key: value for key, value in changes.plain.items() if value != getattr(app, key)}
    work: dict[str, Any] = {"config": {**app.config, **resources}} if resources else {}
    if changes.values:
        changed = await _render_values(dependencies, app, changes.values)
        (work if "environment" in changed else plain).update(changed)
    if not work:
        if plain:
            renamed = (
                (AddLog(app.id, f"Renamed from {app.name} to {plain['name']}"),) if "name" in plain else ()
            )
            await dependencies.store.change(ChangeApp(app.id, plain), *renamed)
        return await dependencies.store.get_app(app.id)
    require_stable(app)
    require_managed(app)
    require_container(app)
    begin = _begin(dependencies, app, requester, resources=resources, work=work)
    # Only growth needs quota: with a lowered quota a user may still shrink an app.
    if any(value > int(app.config.get(key, 0)) for key, value in resources.items()):
        begin = dataclasses.replace(begin, quota=await dependencies.quotas.get_quota(app.owner_id))
    former = (AddUpgrade(_keep_former(begin.id, app, work)),) if "environment" in work else ()
    await dependencies.store.begin(
        app.id, begin, values={**plain, **work}, message=f"Changing {app.hostname}", changes=former
    )
    return await dependencies.store.get_app(app.id)


def confirm_disclosure(app: App, changes: ValueChanges, requester: Requester) -> None:
    """Require a recent sign-in for changes that show a secret value, as RevealSecrets requires one."""
    if disclosed := list_disclosed(app, changes):
        requester.confirm(f"{app.id}: shows {', '.join(disclosed)}")


async def _render_values(dependencies: AppDependencies, app: App, changes: ValueChanges) -> dict[str, Any]:
    """The columns that a change of values changes: with the environment, the container has to follow.

    Raises:
        InvalidError: a value does not fit, or is not there.
        NotAvailableError: the app was adopted.
    """
    new = change_values(app, changes)
    if not new.is_changed and not changes.secret:
        return {}
    rendering = await render_again(
        dependencies.catalog, app, new.values, revision=app.revision, secret=new.secret
    )
    check_flags(changes.secret, rendering)
    inputs, shown = list_inputs(app.runtime, rendering), {"secret_names": list(rendering.secret_names)}
    is_same = dict(rendering.environment) == dict(app.environment) and dict(inputs) == dict(app.inputs)
    if not new.is_changed or is_same:  # the catalog may read another spelling as the value that is there
        return shown if changes.secret else {}
    record = update_record(app.rendering, rendering)
    return {**shown, "environment": rendering.environment, "inputs": inputs, "rendering": record}


def _begin(
    dependencies: AppDependencies,
    app: App,
    requester: Requester,
    *,
    resources: Mapping[str, int],
    work: Mapping[str, Any],
) -> NewAppOperation:
    changes: dict[str, Any] = {_NAMES[key]: value for key, value in resources.items()}
    if has_environment := "environment" in work:
        before, after = set(app.environment), set(work["environment"])
        changes["has_environment"] = True
        # An image's container keeps the variables that it is not ordered to drop.
        changes["dropped"], changes["added"] = sorted(before - after), sorted(after - before)
    return build_operation(
        dependencies,
        app,
        "update_app",
        requester=requester,
        status="updating",
        changes=changes,
        former={_NAMES[key]: app.config[key] for key in resources if key in app.config},
        former_config=dict(app.config),
        kept_id=requester.operation_id if has_environment else "",
    )


def _keep_former(operation_id: str, app: App, changed: Mapping[str, Any]) -> Upgrade:
    """Return the version that the operation switches back to when it fails; it is deleted at its end."""
    former = version_of(app)
    after = dataclasses.replace(
        former,
        environment=changed["environment"],
        inputs=changed["inputs"],
        secret_names=tuple(changed["secret_names"]),
        rendering=changed["rendering"],
    )
    return Upgrade(id=operation_id, app_id=app.id, before=former, after=after, status="current")
