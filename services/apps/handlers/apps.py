"""Apps: listing, deploying, reading, changing and deleting them, their log and their statistics."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert import apps as convert
from services.apps.domain import values
from services.apps.domain.entities import STABLE, AppFilter
from services.apps.handlers.base import BaseHandlers, requester
from services.apps.usecases import dependencies as usecases
from services.apps.usecases import update_app as updating
from services.apps.usecases.get_app_stats import get_app_stats
from services.common.db.queries import parse_time
from services.common.rpc.call import Call
from services.common.rpc.responses.rendered import Rendered


class AppHandlers(BaseHandlers):
    """Apps: listing, deploying, reading, changing and deleting them, their log and their statistics."""

    async def list_apps(self, request: pb.ListAppsRequest, call: Call) -> Rendered[pb.ListAppsResponse]:
        page, per_page = convert.parse_page(request)
        owner = request.owner if request.HasField("owner") else None
        wanted = AppFilter(
            owner_id=call.owner_filter if call.owner_filter is not None else owner,
            status=request.status if request.HasField("status") else None,
            search=request.search,
            host_id=request.host_id if request.HasField("host_id") else None,
        )
        answer, total = await self.showcase.list_apps(wanted, page=page, per_page=per_page, form=call.form)
        call.add_page_links(page=page, per_page=per_page, total=total)
        return answer

    async def deploy_app(self, request: pb.DeployAppRequest, call: Call) -> app_pb2.App:
        new = convert.parse_new_app(request, request_id=call.request_id, user=call.user)
        app = await usecases.deploy_app(self.world, new, requester(call))
        self.relay.wake()
        call.add_location(f"/api/apps/{app.id}")
        return self._render(app)

    async def get_app(self, request: pb.GetAppRequest, call: Call) -> Rendered[app_pb2.App]:
        call.audit_target = request.app_id
        version = await self.store.find_version(request.app_id, owner=call.owner_filter)
        live = None
        if version.status == "running" and version.vmid is not None:
            changed_at = parse_time(version.stamp).timestamp()
            live = await self.metrics.find(
                version.host_id, version.vmid, owner=version.id, changed_at=changed_at
            )
        return await self.showcase.get_app(version, live=live, form=call.form)

    async def update_app(self, request: pb.UpdateAppRequest, call: Call) -> app_pb2.App:
        app = await self._get(request.app_id, call)
        await updating.update_app(
            self.world,
            app,
            requester(call),
            name=request.name if request.HasField("name") else None,
            resources=convert.parse_resources(request),
            values=self._parse_changes(request, app, call),
        )
        self.relay.wake()
        return self._render(await self.store.get_app(app.id))

    async def reveal_secrets(self, request: pb.RevealSecretsRequest, call: Call) -> pb.RevealSecretsResponse:
        app = await self._get(request.app_id, call)
        revealed = values.reveal_values(app, request.names)
        call.audit_target = f"{app.id}: {', '.join(revealed)}"
        call.add_header("cache-control", "no-store")
        return pb.RevealSecretsResponse(app_id=app.id, values=revealed)

    async def delete_app(self, request: pb.DeleteAppRequest, call: Call) -> pb.DeleteAppResponse:
        app = await self._get(request.app_id, call)
        deletion = await self._delete(
            app,
            call,
            delete_backups=request.backups == "delete",
            keep_container=request.container == "keep",
        )
        return convert.render_deletion(app, deletion)

    async def get_app_status(self, request: pb.GetAppStatusRequest, call: Call) -> pb.AppStatus:
        call.audit_target = request.app_id
        app = await self.store.find_version(request.app_id, owner=call.owner_filter)
        operation = None if app.status in STABLE else await self.store.find_unfinished(app.id)
        return convert.render_status(app, operation)

    async def list_app_logs(
        self, request: pb.ListAppLogsRequest, call: Call
    ) -> Rendered[pb.ListAppLogsResponse]:
        limit = request.tail or request.limit or 100
        return await self.showcase.list_logs(
            request.app_id, owner=call.owner_filter, limit=limit, level=request.level, form=call.form
        )

    async def get_app_stats(self, request: pb.GetAppStatsRequest, call: Call) -> pb.AppStats:
        app = await self._get(request.app_id, call)
        return convert.render_stats(await get_app_stats(self.world.containers, app))
