"""Operations: reading, cancelling and replaying them."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from collections.abc import Sequence

from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.common.v1 import operation_pb2

from services.apps.convert.apps import parse_operation_filter, parse_page, render_operations
from services.apps.handlers.base import BaseHandlers
from services.apps.usecases import operations as usecases
from services.common.rpc.call import Call
from services.common.rpc.responses.rendered import Rendered, render_operation


class OperationHandlers(BaseHandlers):
    """Operations: reading, cancelling and replaying them."""

    async def list_operations(
        self, request: pb.ListOperationsRequest, call: Call
    ) -> Rendered[pb.ListOperationsResponse]:
        page, per_page = parse_page(request)
        found = await usecases.list_operations(
            self.dependencies.store,
            request.app_id,
            owner_filter=call.owner_filter,
            page=page,
            per_page=per_page,
            after=request.after,
        )
        shown = [one.id for one in found.operations or ()]
        _add_links(call, page=page, per_page=per_page, total=found.total, after=request.after, shown=shown)
        return await self.renderer.list_operations(found, form=call.form)

    async def list_all_operations(
        self, request: pb.ListAllOperationsRequest, call: Call
    ) -> pb.ListOperationsResponse:
        page, per_page = parse_page(request)
        wanted = parse_operation_filter(request, owner_filter=call.owner_filter)
        found, total = await usecases.list_all_operations(
            self.dependencies.store, wanted, page=page, per_page=per_page, after=request.after
        )
        shown = [one.id for one in found]
        _add_links(call, page=page, per_page=per_page, total=total, after=request.after, shown=shown)
        return render_operations(found, total, page=page, per_page=per_page)

    async def get_operation(self, request: pb.GetOperationRequest, call: Call) -> operation_pb2.Operation:
        operation = await usecases.get_operation(
            self.dependencies,
            request.app_id,
            operation_id=request.operation_id,
            owner_filter=call.owner_filter,
        )
        return render_operation(operation)

    async def cancel_operation(
        self, request: pb.CancelOperationRequest, call: Call
    ) -> operation_pb2.Operation:
        call.audit_target = request.app_id
        operation = await usecases.cancel_operation(
            self.dependencies,
            request.app_id,
            operation_id=request.operation_id,
            owner_filter=call.owner_filter,
        )
        self._announce(call, f"/api/apps/{operation.subject}/operations/{operation.id}")
        return render_operation(operation)

    async def list_dead_letters(
        self, request: pb.ListDeadLettersRequest, call: Call
    ) -> pb.ListOperationsResponse:
        page, per_page = parse_page(request)
        found, total = await usecases.list_dead_letters(
            self.dependencies.store, page=page, per_page=per_page, after=request.after
        )
        shown = [one.id for one in found]
        _add_links(call, page=page, per_page=per_page, total=total, after=request.after, shown=shown)
        return render_operations(found, total, page=page, per_page=per_page)

    async def replay_operation(
        self, request: pb.ReplayOperationRequest, call: Call
    ) -> operation_pb2.Operation:
        operation = await usecases.replay_operation(self.dependencies, request.operation_id)
        self._announce(call, f"/api/apps/{operation.subject}/operations/{operation.id}")
        return render_operation(operation)


def _add_links(call: Call, *, page: int, per_page: int, total: int, after: str, shown: Sequence[str]) -> None:
    """Name the pages beside the one that shows these operations."""
    last = shown[-1] if shown else ""
    call.add_list_links(page=page, per_page=per_page, total=total, after=after, last=last, count=len(shown))
