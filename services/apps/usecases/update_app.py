"""UpdateApp: change the name, the resources or the values of an app."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from services.apps.domain.app_checks import require_container, require_stable
from services.apps.domain.changes import AddLog, AddUpgrade, ChangeApp
from services.apps.domain.entities import App, AppDetails, AppVersion, NewAppOperation, Upgrade
from services.apps.domain.marks import require_managed
from services.apps.domain.records import list_inputs, render_again, update_record, version_of
from services.apps.domain.resources import ContainerUpdate, ResourceChanges
from services.apps.domain.values import ValueChanges, change_values, check_flags, list_disclosed
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.new_operation import build_operation
from services.common.core.errors import invalid_field

_OF_VALUES = ("environment", "inputs", "secret_names", "rendering")  # columns that a change of values sets


@dataclass(frozen=True, kw_only=True)
class RequestedChanges:
    """Changes of an app that a request names.

    Attributes:
        details: attributes that the container does not depend on.
        values: changes of the values of inputs.
    """

    details: AppDetails = field(default_factory=AppDetails)
    resources: ResourceChanges = field(default_factory=ResourceChanges)
    values: ValueChanges = field(default_factory=ValueChanges)


async def update_app(
    dependencies: AppDependencies, app_id: str, *, requester: Requester, changes: RequestedChanges
) -> App:
    """Change details, resources or values of an app.

    Only what the container has to follow becomes an operation. A detail is set at once, also while another operation
    is under way; together with other changes it is set when their operation begins, and stays when that
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
    confirm_disclosure(app, changes.values, requester=requester)
    # What stays as it is needs neither an operation nor quota.
    resources = changes.resources.without_unchanged(app.config)
    if resources.disk_size and resources.disk_size < (app.config.disk_size or 0):
        raise invalid_field("disk", f"{resources.disk_size} is less than now, and disks only grow")
    # `plain`: columns that change at once; `work`: those whose change the container has to follow.
    plain = changes.details.without_unchanged(app).given
    work: dict[str, Any] = {"config": resources.apply_to(app.config)} if resources else {}
    before = version_of(app)
    after = before
    if changes.values:
        after = await _render_values(dependencies, app, before=before, changes=changes.values)
    if has_environment := (before.environment, before.inputs) != (after.environment, after.inputs):
        work |= {name: after.values[name] for name in _OF_VALUES}
    elif after.secret_names != before.secret_names:
        plain["secret_names"] = after.secret_names
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
    # The version that the operation switches back to when it fails; it is deleted at its end.
    former: Upgrade | None = None
    if has_environment:
        former = Upgrade(
            id=requester.operation_id, app_id=app.id, before=before, after=after, status="current"
        )
    begin = _begin(dependencies, app, requester=requester, resources=resources, former=former)
    stored = (AddUpgrade(former),) if former else ()
    # Only growth needs quota: with a lowered quota a user may still shrink an app.
    if resources.is_more_than(app.config):
        begin = dataclasses.replace(begin, quota=await dependencies.quotas.get_quota(app.owner_id))
    await dependencies.store.begin(
        app.id, begin, values={**plain, **work}, message=f"Changing {app.hostname}", changes=stored
    )
    return await dependencies.store.get_app(app.id)


def confirm_disclosure(app: App, changes: ValueChanges, *, requester: Requester) -> None:
    """Require a recent sign-in for changes that show a secret value, as RevealSecrets requires one."""
    if disclosed := list_disclosed(app, changes):
        requester.confirm(f"{app.id}: shows {', '.join(disclosed)}")


async def _render_values(
    dependencies: AppDependencies, app: App, *, before: AppVersion, changes: ValueChanges
) -> AppVersion:
    """Return the version of an app after a change of values; with its environment, the container has to follow.

    Raises:
        InvalidError: a value does not fit, or is not there.
        NotAvailableError: the app was adopted.
    """
    new = change_values(app, changes)
    if not new.is_changed and not changes.secret:
        return before
    rendering = await render_again(
        dependencies.catalog, app, values=new.values, revision=app.revision, secret=new.secret
    )
    check_flags(changes.secret, rendering)
    inputs, names = list_inputs(app.runtime, rendering), rendering.secret_names
    is_same = dict(rendering.environment) == dict(app.environment) and dict(inputs) == dict(app.inputs)
    if not new.is_changed or is_same:  # the catalog may read another spelling as the value that is there
        return dataclasses.replace(before, secret_names=names) if changes.secret else before
    return dataclasses.replace(
        before,
        environment=rendering.environment,
        inputs=inputs,
        secret_names=names,
        rendering=update_record(app.rendering, rendering),
    )


def _begin(
    dependencies: AppDependencies,
    app: App,
    *,
    requester: Requester,
    resources: ResourceChanges,
    former: Upgrade | None,
) -> NewAppOperation:
    changes = ContainerUpdate(resources=resources)
    if former is not None:
        before, after = set(former.before.environment), set(former.after.environment)
        # An image's container keeps the variables that it is not ordered to drop.
        dropped, added = sorted(before - after), sorted(after - before)
        changes = ContainerUpdate(
            resources=resources, has_environment=True, dropped=tuple(dropped), added=tuple(added)
        )
    return build_operation(
        dependencies,
        app,
        kind="update_app",
        requester=requester,
        status="updating",
        changes=changes.to_json(),
        former=resources.select_former(app.config).to_json(),
        former_config=app.config.to_json(),
        kept_id=former.id if former else "",
    )
