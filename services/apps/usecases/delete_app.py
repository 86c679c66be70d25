"""DeleteApp: queue the deletion of an app, and describe what stays of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.apps.domain.entities import App
from services.apps.domain.marks import UNMANAGED
from services.apps.usecases.dependencies import AppDependencies, Requester
from services.apps.usecases.new_operation import begin_action
from services.clients.backups.interface import Backups
from services.clients.backups.values import AppBackupCount
from services.clients.inventory.values import Container
from services.common.core.errors import DomainError

_LOOK_S = 2.0  # for containers that stay: an answer to a person, and reconciliation finds them anyway
_BACKUPS = "GET /api/backups?app_id={}"


@dataclass(frozen=True, kw_only=True)
class Deletion:
    """Result of a deletion: what is deleted and what stays; counts are None where backups does not answer.

    Attributes:
        operation_id: the operation that does it; empty when the app is being deleted already.
    """

    app: App
    message: str
    operation_id: str = ""
    backups_kept: int | None = None
    backups_deleted: int | None = None


async def delete_app(
    dependencies: AppDependencies,
    app_id: str,
    *,
    requester: Requester,
    delete_backups: bool = False,
    keep_container: bool = False,
) -> Deletion:
    """Queue the deletion of an app, and say what stays of it.

    Args:
        dependencies: what use cases work with.
        app_id: the app.
        requester: by whom, and the operation's id.
        delete_backups: delete its backups once it is gone, all but protected ones.
        keep_container: leave its container as it is, without the app's mark.

    Raises:
        AppNotFoundError: there is no such app, or it is not the requester's.
        StepUpRequiredError: backups would be deleted, and the user's sign-in is too long ago.
        AppBusyError: another operation is under way.
    """
    app = await dependencies.store.get_app(app_id, owner=requester.owner_filter)
    if delete_backups:  # without them nothing brings the app back
        requester.confirm(app.id)
    accepted = await begin_action(
        dependencies,
        app,
        action="delete",
        requester=requester,
        delete_backups=delete_backups,
        keep_container=keep_container,
    )
    if not accepted.operation_id:
        return Deletion(app=app, message=accepted.message)
    # After the operation is queued: neither answer may prevent the deletion.
    count, left = await asyncio.gather(_count(dependencies.backups, app), _list_left(dependencies, app))
    sentences = [accepted.message, *_describe_container(app, keep=keep_container)]
    remaining: int | None = None
    deleted: int | None = None
    if count is not None:
        deleted = count.total - count.protected if delete_backups else 0
        remaining = count.total - deleted
        sentences += _describe_backups(app, count, delete=delete_backups)
    sentences += [
        f"Container {one.vmid} of host {one.host_id} carries its mark too and stays; reconcile names it"
        for one in left
    ]
    return Deletion(
        app=app,
        message=". ".join(sentences),
        operation_id=accepted.operation_id,
        backups_kept=remaining,
        backups_deleted=deleted,
    )


def _describe_container(app: App, *, keep: bool) -> list[str]:
    """Sentences on a container that is not destroyed with the app."""
    if app.vmid is None:
        return []
    place = f"Container {app.vmid} of host {app.host_id}"
    if any(one.type == UNMANAGED for one in app.conditions):
        return [f"{place} does not carry its mark and is not destroyed"]
    return [f"{place} stays"] if keep and not app.adopted else []


def _describe_backups(app: App, count: AppBackupCount, *, delete: bool) -> list[str]:
    """Sentences on what becomes of the backups; none when there are none."""
    if not count.total:
        return []
    where = f"see {_BACKUPS.format(app.id)}"
    if not delete:
        return [f"Its {_name(count.total)} {_stay(count.total)}: {where}, or delete with ?backups=delete"]
    sentences = []
    if count.total > count.protected:
        sentences.append(f"Deleting {_name(count.total - count.protected)} with it")
    if count.protected:
        sentences.append(
            f"Its {_name(count.protected, 'protected ')} {_stay(count.protected)}, as protected ones are never "
            f"deleted with their app: {where}"
        )
    return sentences


def _name(number: int, kind: str = "") -> str:
    return f"{number} {kind}backup{'s' if number > 1 else ''}"


def _stay(number: int) -> str:
    return "stay" if number > 1 else "stays"


async def _count(backups: Backups, app: App) -> AppBackupCount | None:
    try:
        return (await backups.count_backups([app.id])).get(app.id, AppBackupCount(0, 0))
    except DomainError:
        return None


async def _list_left(dependencies: AppDependencies, app: App) -> Sequence[Container]:
    """Other containers with the app's mark; none where that cannot be said quickly."""
    try:
        found = await dependencies.containers.find_owned_containers(
            app.id, host_id=app.host_id, hostname="", timeout=_LOOK_S
        )
    except DomainError:
        return ()
    return [one for one in found if (one.host_id, one.vmid) != (app.host_id, app.vmid)]
