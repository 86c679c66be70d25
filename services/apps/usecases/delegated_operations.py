"""Operations on apps that another service carries out: the app is locked from their begin to their end.

The other service, which is backups, reports progress and the end. Where it is silent for long, apps queries how far an
operation is, so that no app stays locked by an operation that nobody carries out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.apps.domain.app_checks import list_refusals, require_stable
from services.apps.domain.changes import AddLog, Change, ChangeApp, RestoreVersion
from services.apps.domain.entities import SETTLED, STABLE, App, NewAppOperation
from services.apps.domain.errors import AppStateError
from services.apps.domain.interfaces import AppStore, OperationReads
from services.apps.domain.marks import require_managed
from services.apps.usecases.new_operation import begin_on_current
from services.clients.apps.errors import AppBusyError
from services.clients.backups.interface import Backups
from services.common.core.clock import now
from services.common.core.errors import invalid_field
from services.common.operations.model import DelegatedStep, Operation

_STATUS = {"backup": "backing_up", "restore": "restoring"}  # of the app meanwhile, by kind of operation
_LEVELS = ("info", "warning", "error")
_HOLDS = 500  # apps of one answer: about 100 KB


@dataclass(frozen=True)
class AppLock:
    """An app and the operation that locks it.

    Attributes:
        status: of the app before it.
        obstacle: why begin_operation would be refused now; empty: it would not, or it is not known.
    """

    app: App
    operation: Operation | None
    status: str
    obstacle: str = ""

    @property
    def settled_status(self) -> str:
        """The last of running and stopped that the app was in; empty: neither, or it is not known."""
        return self.status if self.status in SETTLED else self.app.settled_status


@dataclass(frozen=True, kw_only=True)
class DelegatedReport:
    """Progress of a delegated operation.

    Attributes:
        progress: percent.
        worker: the process that works on it; empty: as before.
        message: a line for the app's log; empty: none.
        waiting_for: what holds the step up; empty: nothing.
        delegated_step: the step that it is at, where it names one.
    """

    progress: int
    step_index: int
    step_count: int
    worker: str = ""
    attempt: int = 0
    step: str = ""
    level: str = "info"
    message: str = ""
    waiting_for: str = ""
    delegated_step: DelegatedStep | None = None


async def begin_operation(
    store: AppStore, app_id: str, *, operation_id: str, kind: str, made_by: str, user_id: int | None
) -> AppLock:
    """Lock an app for an operation of another service; a repetition returns the same lock.

    Raises:
        AppNotFoundError: there is no such app.
        AppBusyError: another operation is under way.
        AppStateError: the app has no container.
        ContainerUnmanagedError: its container does not carry its mark.
    """
    app = await store.get_app(app_id)
    lock = await _find_lock(store, app, operation_id=operation_id)
    if lock is not None:
        return lock

    async def begin(current: App) -> AppLock:
        return await _lock_app(
            store, current, operation_id=operation_id, kind=kind, made_by=made_by, user_id=user_id
        )

    try:
        return await begin_on_current(store, app, begin=begin)
    except AppBusyError:
        # A caller repeats a call that has no answer in time, and the first one may have locked the app just now. Were it
        # refused, it would take the operation back that the app is locked for.
        lock = await _find_lock(store, await store.get_app(app_id), operation_id=operation_id)
        if lock is None:
            raise
        return lock


async def _find_lock(store: AppStore, app: App, *, operation_id: str) -> AppLock | None:
    """Return the lock of an app that the operation has; None: it has none."""
    operation = await store.find_unfinished(app.id)
    if operation is None or operation.id != operation_id:
        return None
    # The app shows the status meanwhile, and the one before is in the operation's state.
    return AppLock(app, operation, await store.get_former_status(operation.id))


async def _lock_app(
    store: AppStore, app: App, *, operation_id: str, kind: str, made_by: str, user_id: int | None
) -> AppLock:
    _check_delegable(app)
    # Recorded with the operation: a restore of the backup brings back the version that the app has now.
    upgrade = await store.find_upgrade(app.id)
    begin = NewAppOperation(
        id=operation_id,
        kind=kind,
        status=_STATUS[kind],
        state={
            "app_id": app.id,
            "previous": app.status,
            "upgrade_id": upgrade.id if upgrade else "",
            "made_by": made_by,
        },
        requested_by=user_id,
        delegated=True,
        seen=app.updated_at,
    )
    await store.begin(app.id, begin)
    return AppLock(app, await store.get_operation(begin.id), app.status)


def _check_delegable(app: App) -> None:
    require_stable(app)
    if app.vmid is None:
        raise AppStateError(f"{app.id} has no container")
    require_managed(app)


async def report_operation(
    store: AppStore, app_id: str, *, operation_id: str, report: DelegatedReport
) -> None:
    """Write down progress of a delegated operation; one that has ended is left alone."""
    values: dict[str, Any] = {
        "progress": min(max(report.progress, 0), 100),
        "step_index": report.step_index,
        "step_count": report.step_count,
        "waiting_for": report.waiting_for,
    }
    if report.worker:
        values |= {"worker": report.worker, "attempt": report.attempt}
    # A newer release of backups may know further levels.
    level = report.level if report.level in _LEVELS else "info"
    lines = [AddLog(app_id, report.message, level, report.step)] if report.message else []
    await store.report(operation_id, values, *lines, step=report.delegated_step)


async def finish_operation(
    store: AppStore, app_id: str, *, operation_id: str, succeeded: bool, message: str = "", status: str = ""
) -> None:
    """End a delegated operation; the app gets `status`, or is as it was before.

    An operation that is not delegated had a backup made and goes on.

    Raises:
        InvalidError: `status` is none that an app can stay in.
        OperationNotFoundError: the app has no such operation.
    """
    if status and status not in STABLE:
        raise invalid_field("status", f"{status!r} is not one of {', '.join(sorted(STABLE))}")
    operation = await store.get_operation(operation_id, app_id=app_id)
    if operation.delegated:
        status = status or await store.get_former_status(operation.id)
        error = "" if succeeded else message
        values, changes = _describe_end(operation, succeeded=succeeded, error=error, status=status)
        level = "info" if succeeded else "error"
        lines = [AddLog(app_id, message, level, operation.kind)] if message else []
        await store.report(operation.id, values, *changes, *lines)


def _describe_end(
    operation: Operation, *, succeeded: bool, error: str, status: str
) -> tuple[Mapping[str, Any], list[Change]]:
    """Return the columns of a delegated operation that ends, and the changes of its app."""
    values = {
        "status": "succeeded" if succeeded else "failed",
        "progress": 100 if succeeded else operation.progress,
        "error": error,
        "finished_at": now(),
    }
    app_id = operation.subject
    changes: list[Change] = [
        ChangeApp(app_id, {"status": status, "error": error if status == "error" else ""})
    ]
    return values, [*changes, RestoreVersion(app_id, operation.id)] if succeeded else changes


async def get_app_hold(
    store: AppStore, app_id: str, *, user_id: int | None = None, is_admin: bool = False
) -> AppLock:
    """Return an app as other services need it, and the operation under way on it.

    Raises:
        AppNotFoundError: there is no such app, or it is not the user's that a service acts for.
    """
    app = await store.get_app(app_id, owner=None if is_admin else user_id)
    obstacle = "".join(list_refusals(lambda: _check_delegable(app)))
    return AppLock(app, await store.find_unfinished(app.id), app.status, obstacle)


async def list_app_holds(store: AppStore, *, after: str = "", limit: int = 0) -> list[AppLock]:
    """Return apps with an id after `after` in the order of their ids, without their operations; by default 500."""
    return [
        AppLock(app, None, app.status) for app in await store.list_apps_after(after, limit=limit or _HOLDS)
    ]


async def get_operation_standing(store: OperationReads, operation_id: str) -> str:
    """Return how far an operation is: unknown, unfinished, succeeded or failed."""
    return await store.get_operation_standing(operation_id)


async def end_silent_delegations(store: AppStore, backups: Backups, *, seconds: float) -> int:
    """End operations that were silent for `seconds` and that backups has ended or does not know; count them."""
    ended = 0
    for operation in await store.list_silent_delegations(seconds=seconds):
        standing = await backups.get_holding_operation(operation.id)
        if standing == "unfinished":
            # Writes the time alone: the operation is queried again after the next silence.
            await store.report(operation.id, {})
            continue
        succeeded = standing == "succeeded"
        message = f"The {operation.kind} ended without a word: {standing}"
        values, changes = _describe_end(
            operation,
            succeeded=succeeded,
            error="" if succeeded else message,
            status=await store.get_former_status(operation.id),
        )
        line = AddLog(operation.subject, message, "warning", operation.kind)
        ended += await store.report(operation.id, values, *changes, line)
    return ended
