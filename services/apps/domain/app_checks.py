"""Conditions on an app that several use cases require before they begin an operation."""

from __future__ import annotations

from collections.abc import Callable, Collection

from services.apps.domain.entities import STABLE, App
from services.apps.domain.errors import AppStateError, NotAvailableError
from services.apps.domain.marks import require_managed
from services.clients.apps.errors import AppBusyError
from services.common.core.errors import DomainError


def require_stable(app: App) -> None:
    """Refuse an app while an operation on it is under way.

    Raises:
        AppBusyError: with the status that it has meanwhile.
    """
    if not app.is_stable:
        raise AppBusyError(f"{app.id} is {app.status}; wait until that has ended", retry_after=2)


def require_container(app: App) -> int:
    """Return the VMID of an app's container.

    Raises:
        AppStateError: the app has no container, as its deployment failed.
    """
    if app.vmid is None:
        raise AppStateError(f"{app.id} has no container; delete it and deploy it again")
    return app.vmid


def require_upgradable(app: App, *, statuses: Collection[str]) -> None:
    """Refuse an app that revisions cannot be applied to, or not in its status.

    Raises:
        AppBusyError: another operation is under way.
        AppStateError: it has none of the statuses, or no container.
        NotAvailableError: it was adopted.
    """
    require_stable(app)
    require_managed(app)
    if app.adopted:
        raise NotAvailableError(f"{app.id} was adopted; what runs in it is not managed")
    require_container(app)
    if app.status not in statuses:
        raise AppStateError(f"{app.id} is {app.status}; only what runs or is stopped can be updated")


def require_movable(app: App) -> None:
    """Refuse an app that cannot be moved to any node now.

    Raises:
        AppBusyError: another operation is under way.
        AppStateError: it has no container.
        ContainerUnmanagedError: its container does not carry its mark.
    """
    require_stable(app)
    require_container(app)
    require_managed(app)


def list_refusals(*checks: Callable[[], object]) -> tuple[str, ...]:
    """Return the messages of those checks that refuse: a preview shows all at once."""
    found = []
    for check in checks:
        try:
            check()
        except DomainError as error:
            found.append(error.message)
    return tuple(found)


def can_roll_back(app: App) -> bool:
    """Whether RollbackApp would be accepted now, as far as apps itself knows."""
    try:
        require_upgradable(app, statuses=STABLE)
    except DomainError:
        return False
    return app.has_rollback
