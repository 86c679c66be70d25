"""Apps on their way to another platform: export and import."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from proximity.apps.v1 import export_pb2 as pb

from services.apps.convert import exports as convert
from services.apps.handlers.base import BaseHandlers, parse_requester
from services.apps.usecases.export_app import export_app
from services.apps.usecases.import_exported_app import import_exported_app
from services.apps.usecases.preview_exported_app import preview_exported_app
from services.common.rpc.call import Call


class ExportHandlers(BaseHandlers):
    """Apps on their way to another platform: export and import."""

    async def export_app(self, request: pb.ExportAppRequest, call: Call) -> pb.AppExport:
        call.audit_target = request.app_id
        document = await export_app(
            self.dependencies,
            request.app_id,
            owner_filter=call.owner_filter,
            passphrase=request.passphrase,
            backup_id=request.backup_id if request.HasField("backup_id") else None,
        )
        call.add_header("cache-control", "no-store")
        return convert.render_export(document)

    async def import_exported_app(
        self, request: pb.ImportExportedAppRequest, call: Call
    ) -> pb.ImportExportedAppResponse:
        order = convert.parse_import_order(request, request_id=call.request_id, user=call.user)
        found = await import_exported_app(self.dependencies, order, requester=parse_requester(call))
        self._announce(call, f"/api/apps/{found.app.id}")
        return convert.render_import(found, operation_id=call.request_id)

    async def preview_exported_app(
        self, request: pb.ImportExportedAppRequest, call: Call
    ) -> pb.AppImportPreview:
        order = convert.parse_import_order(request, request_id=call.request_id, user=call.user)
        return convert.render_import_preview(await preview_exported_app(self.dependencies, order))
