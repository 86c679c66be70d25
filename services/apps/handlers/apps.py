"""Apps: listing, deploying, reading, changing and deleting them, and their log."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from proximity.apps.v1 import app_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert import apps as convert
from services.apps.handlers.base import BaseHandlers, parse_requester
from services.apps.usecases import apps as usecases
from services.apps.usecases.delete_app import delete_app
from services.apps.usecases.deploy_app import deploy_app
from services.apps.usecases.new_operation import Accepted
from services.apps.usecases.update_app import update_app
from services.common.rpc.call import Call
from services.common.rpc.responses.rendered import Rendered


class AppHandlers(BaseHandlers):
    """Apps: listing, deploying, reading, changing and deleting them, and their log."""

    async def list_apps(self, request: pb.ListAppsRequest, call: Call) -> Rendered[pb.ListAppsResponse]:
        page, per_page = convert.parse_page(request)
        found = await usecases.list_apps(
            self.dependencies.store,
            self.metrics,
            wanted=convert.parse_filter(request),
            owner_filter=call.owner_filter,
            page=page,
            per_page=per_page,
            after=request.after,
        )
        last = found.stamps[-1].id if found.stamps else ""
        call.add_list_links(
            page=page,
            per_page=per_page,
            total=found.total,
            after=request.after,
            last=last,
            count=len(found.stamps),
        )
        return await self.renderer.list_apps(found, form=call.form)

    async def deploy_app(self, request: pb.DeployAppRequest, call: Call) -> app_pb2.App:
        new = convert.parse_new_app(request, request_id=call.request_id, user=call.user)
        requester = parse_requester(call, f"app {new.id}, hostname {new.hostname}")
        return self._show(await deploy_app(self.dependencies, new, requester=requester), call)

    async def get_app(self, request: pb.GetAppRequest, call: Call) -> Rendered[app_pb2.App]:
        call.audit_target = request.app_id
        app, live = await usecases.get_app(
            self.dependencies.store, self.metrics, app_id=request.app_id, owner_filter=call.owner_filter
        )
        return await self.renderer.get_app(app, live=live, form=call.form)

    async def update_app(self, request: pb.UpdateAppRequest, call: Call) -> app_pb2.App:
        app = await update_app(
            self.dependencies,
            request.app_id,
            requester=parse_requester(call, request.app_id),
            changes=convert.parse_app_changes(request),
        )
        self.relay.wake()
        return self.renderer.render_app(app)

    async def reveal_secrets(self, request: pb.RevealSecretsRequest, call: Call) -> pb.RevealSecretsResponse:
        call.audit_target = request.app_id
        app, revealed = await usecases.reveal_secrets(
            self.dependencies.store, request.app_id, names=request.names, owner_filter=call.owner_filter
        )
        call.audit_target = f"{app.id}: {', '.join(revealed)}"
        call.add_header("cache-control", "no-store")
        return pb.RevealSecretsResponse(app_id=app.id, values=revealed)

    async def delete_app(self, request: pb.DeleteAppRequest, call: Call) -> pb.DeleteAppResponse:
        deletion = await delete_app(
            self.dependencies,
            request.app_id,
            requester=parse_requester(call, request.app_id),
            delete_backups=request.backups == "delete",
            keep_container=request.container == "keep",
        )
        self._accept(Accepted(deletion.app, deletion.message, deletion.operation_id), call)
        return convert.render_deletion(deletion)

    async def get_app_status(self, request: pb.GetAppStatusRequest, call: Call) -> pb.AppStatus:
        call.audit_target = request.app_id
        app, operation = await usecases.get_app_status(
            self.dependencies.store, request.app_id, owner_filter=call.owner_filter
        )
        return convert.render_status(app, operation)

    async def list_app_logs(
        self, request: pb.ListAppLogsRequest, call: Call
    ) -> Rendered[pb.ListAppLogsResponse]:
        found = await usecases.list_app_logs(
            self.dependencies.store,
            request.app_id,
            owner_filter=call.owner_filter,
            tail=request.tail,
            limit=request.limit,
            level=request.level,
            before=request.before if request.HasField("before") else None,
        )
        return await self.renderer.list_logs(found, form=call.form)
