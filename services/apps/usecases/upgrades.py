"""UpgradeApp, GetAppUpdate and RollbackApp: an app goes to another revision of its catalog item, and back."""

from __future__ import annotations

from dataclasses import dataclass

from services.apps.domain.app_checks import list_refusals, require_upgradable
from services.apps.domain.changes import AddUpgrade
from services.apps.domain.entities import STABLE, App, AppVersion, Upgrade
from services.apps.domain.errors import AppStateError, NotAvailableError
from services.apps.domain.records import list_inputs, render_again, update_record, version_of
from services.apps.domain.values import ValueChanges, change_values, check_flags, find_flags
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.new_operation import Accepted, build_operation
from services.apps.usecases.update_app import confirm_disclosure
from services.clients.backups.lookup import find_held_backup
from services.clients.catalog.values import Rendering, RevisionChanges
from services.common.core.errors import InvalidError

_NOTHING = ValueChanges()
_RESTING = frozenset({"running", "stopped"})


@dataclass(frozen=True, kw_only=True)
class AppUpdate:
    """Changes of an update.

    Attributes:
        needs: name of each value that must be given first, and what is wrong.
        obstacles: why the update would be refused besides.
    """

    app: App
    changes: RevisionChanges
    needs: tuple[tuple[str, str], ...]
    obstacles: tuple[str, ...] = ()


async def upgrade_app(
    dependencies: AppDependencies,
    app_id: str,
    *,
    requester: Requester,
    revision: str = "",
    changes: ValueChanges = _NOTHING,
) -> Accepted:
    """Record the change of an app to another revision, the newest if none is named, and say what is being done.

    Everything that can be refused is refused here, before anything is touched.

    Raises:
        AppBusyError: another operation is under way.
        AppStateError: it neither runs nor rests, or is of that revision already.
        NotAvailableError: it is none that the catalog's revisions can be applied to.
        InvalidError: its values, with the changes, do not fit the inputs of that revision.
        NotFoundError: the catalog has no such item or revision.
    """
    app = await dependencies.store.get_app(app_id, owner=requester.owner_filter)
    confirm_disclosure(app, changes, requester=requester)
    require_upgradable(app, statuses=_RESTING)
    new = change_values(app, changes)
    rendering = await render_again(
        dependencies.catalog, app, values=new.values, revision=revision, secret=new.secret
    )
    check_flags(changes.secret, rendering)
    _require_other(app, rendering.revision)
    upgrade = Upgrade(
        id=requester.operation_id, app_id=app.id, before=version_of(app), after=_version_after(app, rendering)
    )
    name = rendering.version or rendering.revision
    begin = build_operation(
        dependencies,
        app,
        kind="upgrade_app",
        requester=requester,
        status="updating",
        upgrade_id=upgrade.id,
        version=name,
    )
    message = f"Updating {app.hostname} to {name}"
    await dependencies.store.begin(app.id, begin, message=message, changes=(AddUpgrade(upgrade),))
    return Accepted(app, message, begin.id)


async def get_app_update(
    dependencies: AppDependencies, app_id: str, *, owner_filter: int | None, revision: str = ""
) -> AppUpdate:
    """Say what an update to a revision, the newest if none is named, changes and what it needs to be given.

    Raises:
        NotAvailableError: the app was adopted.
        NotFoundError: the catalog has no such item or revision.
    """
    app = await dependencies.store.get_app(app_id, owner=owner_filter)
    if app.adopted:
        raise NotAvailableError(f"{app.id} was adopted; what runs in it is not managed")
    changes = await dependencies.catalog.compare_revisions(
        app.catalog_id, from_revision=app.revision, revision=revision
    )
    needs: tuple[tuple[str, str], ...] = ()
    if changes.revision != app.revision:
        try:
            await render_again(
                dependencies.catalog, app, values=app.given, revision=changes.revision, secret=find_flags(app)
            )
        # Each violation names a value that the new revision needs.
        except InvalidError as error:
            needs = tuple(
                (one.field.removeprefix("environment."), one.description) for one in error.violations
            )
    obstacles = list_refusals(
        lambda: require_upgradable(app, statuses=_RESTING), lambda: _require_other(app, changes.revision)
    )
    return AppUpdate(app=app, changes=changes, needs=needs, obstacles=obstacles)


def _require_other(app: App, revision: str) -> None:
    if revision == app.revision:
        raise AppStateError(f"{app.id} is of revision {app.revision} already")


async def rollback_app(dependencies: AppDependencies, app_id: str, *, requester: Requester) -> Accepted:
    """Record the way back to the state before the last update, and say what is being done.

    Raises:
        AppBusyError: another operation is under way.
        AppStateError: there is no update to go back from, or its backup is gone.
        NotAvailableError: it was adopted.
    """
    app = await dependencies.store.get_app(app_id, owner=requester.owner_filter)
    require_upgradable(app, statuses=STABLE)
    upgrade = await dependencies.store.find_upgrade(app.id)
    if upgrade is None or not upgrade.archive:
        raise AppStateError(f"{app.id} has no update to go back from")
    # The backup may have been deleted: without it there is nothing to go back to.
    backup = await find_held_backup(dependencies.backups, upgrade.id)
    if backup is None or backup.status != "completed":
        raise AppStateError(f"the backup made before the last update of {app.id} is gone")
    if backup.is_broken:
        raise AppStateError(f"the archive of the backup made before the last update of {app.id} is broken")
    name = upgrade.before.version or upgrade.before.revision
    begin = build_operation(
        dependencies,
        app,
        kind="rollback_app",
        requester=requester,
        status="updating",
        upgrade_id=upgrade.id,
        version=name,
        target_archive=backup.archive,
        **({"was_running": True} if app.status == "error" else {}),  # it is to run again
    )
    message = f"Taking {app.hostname} back to {name}"
    await dependencies.store.begin(app.id, begin, message=message)
    return Accepted(app, message, begin.id)


def _version_after(app: App, rendering: Rendering) -> AppVersion:
    return AppVersion(
        revision=rendering.revision,
        version=rendering.version,
        internal_port=rendering.internal_port or None,
        published=rendering.port_published,
        environment=rendering.environment,
        inputs=list_inputs(app.runtime, rendering),
        secret_names=rendering.secret_names,
        rendering=update_record(app.rendering, rendering),
    )
