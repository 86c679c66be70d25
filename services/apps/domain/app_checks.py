"""Conditions on an app that several use cases require before they begin an operation."""

from __future__ import annotations

from services.apps.domain.entities import App
from services.apps.domain.errors import AppBusyError, AppStateError


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
