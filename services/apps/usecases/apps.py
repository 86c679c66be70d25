"""Use cases that read apps: list, get, status, log, secrets, counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from services.apps.domain.entities import STABLE, App, AppFilter
from services.apps.domain.interfaces import AppReads, AppStamps, AppStore
from services.apps.domain.stamps import AppPage, AppStamp, LogPage
from services.apps.domain.values import reveal_values
from services.apps.usecases.container_metrics import ContainerMetrics
from services.clients.inventory.values import Container
from services.common.operations.model import Operation

DEFAULT_LOG_LINES = 100  # of a log whose request names no number: a screen or two


async def list_apps(
    store: AppStamps,
    metrics: ContainerMetrics,
    *,
    wanted: AppFilter,
    owner_filter: int | None,
    page: int,
    per_page: int,
    after: str = "",
) -> AppPage:
    """Return which apps of a page there are to show, with the containers of those that run and whose hosts answer.

    Users see their own apps alone, whichever owner they filter by. With `after`, the page begins behind that app.

    Raises:
        InvalidError: there is no app `after`.
    """
    visible = wanted if owner_filter is None else dataclasses.replace(wanted, owner_id=owner_filter)
    if after:
        stamps, total = await store.list_stamps_after(visible, after=after, per_page=per_page)
    else:
        stamps, total = await store.list_stamps(visible, page=page, per_page=per_page)
    running = [stamp for stamp in stamps if stamp.status == "running" and stamp.vmid is not None]
    # Only of the page, and of what runs: a list must not wait for every host about every app.
    live = await metrics.find_all(running)
    return AppPage(
        wanted=visible, page=page, per_page=per_page, stamps=stamps, total=total, after=after, live=live
    )


async def get_app(
    store: AppStamps, metrics: ContainerMetrics, *, app_id: str, owner_filter: int | None
) -> tuple[AppStamp, Container | None]:
    """Return the state of an app, and its container where it runs and its host answers.

    Raises:
        AppNotFoundError: there is no such app, or it is not the owner's.
    """
    app = await store.get_stamp(app_id, owner=owner_filter)
    if app.status != "running" or app.vmid is None:
        return app, None
    return app, await metrics.find(app.host_id, app.vmid, owner=app.id, changed_at=app.changed_at)


async def get_app_status(
    store: AppStore, app_id: str, *, owner_filter: int | None
) -> tuple[AppStamp, Operation | None]:
    """Return the state of an app and the operation under way on it.

    Raises:
        AppNotFoundError: there is no such app, or it is not the owner's.
    """
    app = await store.get_stamp(app_id, owner=owner_filter)
    return app, None if app.status in STABLE else await store.find_unfinished(app.id)


async def list_app_logs(
    store: AppStamps,
    app_id: str,
    *,
    owner_filter: int | None,
    tail: int = 0,
    limit: int = 0,
    level: str = "",
    before: int | None = None,
) -> LogPage:
    """Return which lines of an app's log there are to show: the newest, `tail` of them, else `limit`, else 100.

    With `before`, the newest of those before the line of that id.

    Raises:
        AppNotFoundError: there is no such app, or it is not the owner's.
    """
    stamp = await store.get_log_stamp(app_id, owner=owner_filter, level=level)
    lines = tail or limit or DEFAULT_LOG_LINES
    return LogPage(app_id=app_id, limit=lines, level=level, stamp=stamp, before=before)


async def reveal_secrets(
    store: AppReads, app_id: str, *, names: Sequence[str], owner_filter: int | None
) -> tuple[App, dict[str, str]]:
    """Return an app and some of its values in clear.

    Raises:
        AppNotFoundError: there is no such app, or it is not the owner's.
        InvalidError: no name is given, or the app has no value of one.
    """
    app = await store.get_app(app_id, owner=owner_filter)
    return app, reveal_values(app, names)


async def count_apps(store: AppReads, *, host_id: int | None = None, revision: str = "") -> int:
    """Count the apps of all users, on one host or of one catalog revision."""
    return await store.count_apps(host_id=host_id, revision=revision)


async def find_removed_apps(store: AppReads, app_ids: Sequence[str]) -> list[str]:
    """Return those of some ids, in their order, that are ids of no app."""
    existing = await store.list_existing(app_ids)
    return [app_id for app_id in app_ids if app_id not in existing]
