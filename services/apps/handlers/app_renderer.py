"""Fast read path: apps, logs and operations as clients get them, rendered once for each state.

An entry of a cache is valid for one stamp, which the database returns for each request: every replica answers alike,
and nothing has to be invalidated when an app changes. Secret values are masked before they are rendered.
"""

from __future__ import annotations

from collections.abc import Sequence

from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert import apps as convert
from services.apps.domain.entities import App, AppFilter
from services.apps.domain.errors import AppNotFoundError
from services.apps.domain.stamps import AppPage, AppStamp, LogPage, OperationPage
from services.apps.store import SqlAppStore
from services.apps.usecases.catalog_updates import CatalogUpdates
from services.clients.inventory.values import Container
from services.common.rpc.responses.rendered import Form, Rendered, VersionedLruCache, render, render_list


class AppRenderer:
    """Renders apps, logs and operations as bytes, once for each state.

    Args:
        store: what is not rendered yet is read from it.
        updates: newer revisions of the apps' catalog items.
    """

    def __init__(self, store: SqlAppStore, updates: CatalogUpdates) -> None:
        self.store = store
        self.updates = updates
        self._apps = VersionedLruCache[tuple[str, Form]]()
        # Apart from `_apps`: metrics change every two seconds.
        self._live = VersionedLruCache[tuple[str, Form]]()
        self._pages = VersionedLruCache[tuple[AppFilter, int, int, str, Form]]()
        self._logs = VersionedLruCache[tuple[str, int, str, int | None, Form]]()
        self._operations = VersionedLruCache[tuple[str, int, int, Form]]()

    def render_app(self, app: App) -> app_pb2.App:
        """Render an app without metrics, with its icon and the update that there is for it."""
        icon = self.updates.find_icon(app.catalog_id)
        return convert.render_app(app, update=self.updates.find_update(app), icon=icon)

    async def list_apps(self, found: AppPage, *, form: Form = Form.WIRE) -> Rendered[pb.ListAppsResponse]:
        """Render a page of apps, those that run with the metrics of their containers."""
        key = (found.wanted, found.page, found.per_page, found.after, form)
        state = (self.updates.generation, found.total, found.stamps, found.live)
        known = self._pages.find(key, state)
        if known is None:
            rest = pb.ListAppsResponse(total=found.total, page=found.page, per_page=found.per_page)
            known = render_list(rest, "apps", pieces=await self._render_page(found, form), form=form)
            self._pages.keep(key, state, value=known)
        return Rendered(pb.ListAppsResponse, known)

    async def get_app(
        self, version: AppStamp, *, live: Container | None = None, form: Form = Form.WIRE
    ) -> Rendered[app_pb2.App]:
        """Render one app, with the metrics of its container.

        Raises:
            AppNotFoundError: it has gone meanwhile.
        """
        known = self._find_live(version.id, version.stamp, live=live, form=form)
        if known is None:
            found = await self._render([(version.id, version.stamp)], Form.WIRE)
            if version.id not in found:
                raise AppNotFoundError(f"there is no app {version.id}")
            known = self._add_live(version.id, version.stamp, data=found[version.id], live=live, form=form)
        return Rendered(app_pb2.App, known)

    async def list_logs(self, found: LogPage, *, form: Form = Form.WIRE) -> Rendered[pb.ListAppLogsResponse]:
        """Render lines of an app's log, newest first."""
        key = (found.app_id, found.limit, found.level, found.before, form)
        known = self._logs.find(key, found.stamp)
        if known is None:
            logs, total = await self.store.list_logs(
                found.app_id, limit=found.limit, level=found.level, before=found.before
            )
            lines = [convert.render_log(line) for line in logs]
            message = pb.ListAppLogsResponse(app_id=found.app_id, logs=lines, total=total)
            known = self._logs.keep(key, found.stamp, value=render(message, form))
        return Rendered(pb.ListAppLogsResponse, known)

    async def list_operations(
        self, found: OperationPage, *, form: Form = Form.WIRE
    ) -> Rendered[pb.ListOperationsResponse]:
        """Render a page of an app's operations."""
        page, per_page = found.page, found.per_page
        if found.operations is not None:
            message = convert.render_operations(found.operations, found.total, page=page, per_page=per_page)
            return Rendered(pb.ListOperationsResponse, render(message, form))
        key = (found.app_id, page, per_page, form)
        known = self._operations.find(key, (found.total, found.stamps))
        if known is None:
            operations, total = await self.store.list_operations(found.app_id, page=page, per_page=per_page)
            message = convert.render_operations(operations, total, page=page, per_page=per_page)
            # The state that was read, which may be newer than the stamps of this request.
            state = (total, [(operation.id, operation.updated_at) for operation in operations])
            known = self._operations.keep(key, state, value=render(message, form))
        return Rendered(pb.ListOperationsResponse, known)

    async def _render_page(self, found: AppPage, form: Form) -> list[bytes]:
        """Render the apps of a page in order, those that run with their metrics."""
        live = found.live
        rendered = {
            one.id: self._find_live(one.id, one.stamp, live=live[one.id], form=form)
            for one in found.stamps
            if one.id in live
        }
        plain = [(one.id, one.stamp) for one in found.stamps if one.id not in live]
        stale = [(one.id, one.stamp) for one in found.stamps if one.id in live and rendered[one.id] is None]
        without_metrics = await self._render(stale, Form.WIRE) if stale else {}
        for app_id, stamp in stale:
            if app_id in without_metrics:
                data = without_metrics[app_id]
                rendered[app_id] = self._add_live(app_id, stamp, data=data, live=live[app_id], form=form)
        pieces = {**rendered, **(await self._render(plain, form) if plain else {})}
        found_pieces = (pieces.get(one.id) for one in found.stamps)
        return [piece for piece in found_pieces if piece is not None]

    def _find_live(self, app_id: str, stamp: object, *, live: Container | None, form: Form) -> bytes | None:
        return self._live.find((app_id, form), (stamp, self.updates.generation, live))

    def _add_live(
        self, app_id: str, stamp: object, *, data: bytes, live: Container | None, form: Form
    ) -> bytes:
        """Add metrics to an app in the form of the wire, and render it as the client wants it."""
        app = app_pb2.App.FromString(data)
        convert.add_metrics(app, live)
        state = (stamp, self.updates.generation, live)
        return self._live.keep((app_id, form), state, value=render(app, form))

    async def _render(self, versions: Sequence[tuple[str, object]], form: Form) -> dict[str, bytes]:
        """Render the apps of these stamps, or newer; those that are gone meanwhile are left out."""
        now = self.updates.generation
        found = {app_id: self._apps.find((app_id, form), (stamp, now)) for app_id, stamp in versions}
        missing = {app_id: (stamp, now) for app_id, stamp in versions if found[app_id] is None}
        if missing:
            for app in await self.store.get_apps(list(missing)):
                message = self.render_app(app)
                found[app.id] = rendered = render(message, form)
                # A newer state than the one that was named is shown, and rendered again when it is named.
                self._apps.keep((app.id, form), missing[app.id], value=rendered)
        return {app_id: piece for app_id, piece in found.items() if piece is not None}
