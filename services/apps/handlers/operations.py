"""Operations: reading, cancelling and replaying them."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.common.v1 import operation_pb2

from services.apps.convert import apps as convert
from services.apps.domain.errors import AppBusyError
from services.apps.handlers.base import BaseHandlers
from services.apps.usecases import dependencies as usecases
from services.common.operations.convert import render_operation
from services.common.rpc.call import Call
from services.common.rpc.responses.rendered import Rendered


class OperationHandlers(BaseHandlers):
    """Operations: reading, cancelling and replaying them."""

    async def list_operations(
        self, request: pb.ListOperationsRequest, call: Call
    ) -> Rendered[pb.ListOperationsResponse]:
        page, per_page = convert.parse_page(request)
        answer, total = await self.showcase.list_operations(
            request.app_id, owner=call.owner_filter, page=page, per_page=per_page, form=call.form
        )
        call.add_page_links(page=page, per_page=per_page, total=total)
        return answer

    async def get_operation(self, request: pb.GetOperationRequest, call: Call) -> operation_pb2.Operation:
        app_id = request.app_id
        # Refuses what is not the owner's; administrators also see what is left of an app that is gone.
        await self.store.list_operation_versions(app_id, owner=call.owner_filter, page=1, per_page=1)
        return render_operation(await self.store.find_operation(request.operation_id, app_id=app_id))

    async def cancel_operation(
        self, request: pb.CancelOperationRequest, call: Call
    ) -> operation_pb2.Operation:
        app = await self._get(request.app_id, call)
        operation = await self.store.find_operation(request.operation_id, app_id=app.id)
        await usecases.cancel_operation(self.store, self.backups, operation)
        self.relay.wake()
        call.add_location(f"/api/apps/{app.id}/operations/{request.operation_id}")
        return render_operation(await self.store.find_operation(request.operation_id, app_id=app.id))

    async def list_dead_letters(
        self, request: pb.ListDeadLettersRequest, call: Call
    ) -> pb.ListOperationsResponse:
        page, per_page = convert.parse_page(request)
        found, total = await self.store.list_operations(None, page=page, per_page=per_page, status="dead")
        call.add_page_links(page=page, per_page=per_page, total=total)
        return convert.render_operations(found, total, page=page, per_page=per_page)

    async def replay_operation(
        self, request: pb.ReplayOperationRequest, call: Call
    ) -> operation_pb2.Operation:
        operation = await self.store.find_operation(request.operation_id)
        if not await self.store.replay(operation.id):
            raise AppBusyError(f"operation {operation.id} is {operation.status} and was not given up")
        call.add_location(f"/api/apps/{operation.subject}/operations/{operation.id}")
        self.relay.wake()
        return render_operation(await self.store.find_operation(operation.id))
