"""Apps and logs as clients get them, rendered once for each change.

What is kept is named by the state that it shows, as the database said it for this very request, so every replica
answers alike and nothing has to be thrown away when an app changes. Secret values are masked before.
"""

from __future__ import annotations

from collections.abc import Sequence

from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert import apps as convert
from services.apps.domain.entities import AppFilter
from services.apps.domain.errors import AppNotFoundError
from services.apps.store import SqlAppStore
from services.apps.store.lookups import AppStamp
from services.apps.usecases.catalog_updates import CatalogUpdates
from services.clients.inventory.values import Container
from services.common.rpc.responses.cache import VersionedLruCache
from services.common.rpc.responses.rendered import Form, Rendered, render, render_list


class AppRenderer:
    """What is shown of apps.

    Args:
        store: where they are.
        newest: which of them could be updated.
    """

    def __init__(self, store: SqlAppStore, newest: CatalogUpdates) -> None:
        self._store = store
        self._newest = newest
        self._apps = VersionedLruCache[tuple[str, Form]]()
        self._live = VersionedLruCache[tuple[str, Form]]()
        self._pages = VersionedLruCache[tuple[AppFilter, int, int, Form]]()
        self._logs = VersionedLruCache[tuple[str, int, str, Form]]()
        self._operations = VersionedLruCache[tuple[str, int, int, Form]]()

    async def list_apps(
        self, wanted: AppFilter, *, page: int, per_page: int, form: Form = Form.WIRE
    ) -> tuple[Rendered[pb.ListAppsResponse], int]:
        """A page of apps, and how many there are in all."""
        versions, total = await self._store.list_versions(wanted, page=page, per_page=per_page)
        key, state = (wanted, page, per_page, form), (self._newest.generation, total, versions)
        kept = self._pages.find(key, state)
        if kept is None:
            rest = pb.ListAppsResponse(total=total, page=page, per_page=per_page)
            kept = render_list(rest, "apps", await self._render(versions, form), form)
            self._pages.keep(key, state, kept)
        return Rendered(pb.ListAppsResponse, kept), total

    async def get_app(
        self, version: AppStamp, *, live: Container | None = None, form: Form = Form.WIRE
    ) -> Rendered[app_pb2.App]:
        """One app, with what its container uses.

        Raises:
            AppNotFoundError: it has gone meanwhile.
        """
        key, state = (version.id, form), (version.stamp, self._newest.generation, live)
        kept = self._live.find(key, state)
        if kept is None:
            found = await self._render([(version.id, version.stamp)], Form.WIRE)
            if not found:
                raise AppNotFoundError(f"there is no app {version.id}")
            app = app_pb2.App.FromString(found[0])
            convert.add_metrics(app, live)
            kept = self._live.keep(key, state, render(app, form))
        return Rendered(app_pb2.App, kept)

    async def list_logs(
        self, app_id: str, *, owner: int | None, limit: int, level: str, form: Form = Form.WIRE
    ) -> Rendered[pb.ListAppLogsResponse]:
        """The newest lines of an app's log.

        Raises:
            AppNotFoundError: there is no such app, or it is not the owner's.
        """
        version = await self._store.find_log(app_id, owner=owner, level=level)
        key = (app_id, limit, level, form)
        kept = self._logs.find(key, version)
        if kept is None:
            logs, total = await self._store.list_logs(app_id, limit=limit, level=level)
            lines = [convert.render_log(line) for line in logs]
            message = pb.ListAppLogsResponse(app_id=app_id, logs=lines, total=total)
            kept = self._logs.keep(key, version, render(message, form))
        return Rendered(pb.ListAppLogsResponse, kept)

    async def list_operations(
        self, app_id: str, *, owner: int | None, page: int, per_page: int, form: Form = Form.WIRE
    ) -> tuple[Rendered[pb.ListOperationsResponse], int]:
        """A page of an app's operations, and how many there are in all.

        Raises:
            AppNotFoundError: there is no such app and there was none, or it is not the owner's.
        """
        versions, total = await self._store.list_operation_versions(
            app_id, owner=owner, page=page, per_page=per_page
        )
        key = (app_id, page, per_page, form)
        kept = self._operations.find(key, (total, versions))
        if kept is None:
            found, total = await self._store.list_operations(app_id, page=page, per_page=per_page)
            message = convert.render_operations(found, total, page=page, per_page=per_page)
            state = (total, [(operation.id, operation.updated_at) for operation in found])
            kept = self._operations.keep(key, state, render(message, form))
        return Rendered(pb.ListOperationsResponse, kept), total

    async def _render(self, versions: Sequence[tuple[str, object]], form: Form) -> list[bytes]:
        """The apps of these versions, or newer; what has gone meanwhile is left out."""
        now = self._newest.generation
        found = {app_id: self._apps.find((app_id, form), (stamp, now)) for app_id, stamp in versions}
        missing = {app_id: (stamp, now) for app_id, stamp in versions if found[app_id] is None}
        if missing:
            for app in await self._store.get_apps(list(missing)):
                message = convert.render_app(app, update=self._newest.find_update(app))
                found[app.id] = rendered = render(message, form)
                # A newer state than the one that was named is shown, and rendered again when it is named.
                self._apps.keep((app.id, form), missing[app.id], rendered)
        return [piece for piece in found.values() if piece is not None]
