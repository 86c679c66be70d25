"""The state of everything at a glance."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from google.protobuf import empty_pb2
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.convert.summary import parse_user, render_summary, render_usage
from services.apps.handlers.base import BaseHandlers
from services.apps.usecases.get_summary import get_summary
from services.apps.usecases.get_usage import get_usage
from services.common.rpc.call import Call


class SummaryHandlers(BaseHandlers):
    """The state of everything at a glance."""

    async def get_summary(self, _request: empty_pb2.Empty, call: Call) -> pb.Summary:
        summary = await get_summary(
            self.dependencies.store,
            self.renderer.updates,
            backups=self.dependencies.backups,
            containers=self.dependencies.containers,
            owner_filter=call.owner_filter,
        )
        return render_summary(summary)

    async def get_usage(self, request: pb.GetUsageRequest, call: Call) -> pb.Usage:
        user_id = parse_user(request, call.user)
        used, quota = await get_usage(self.dependencies.store, self.dependencies.quotas, user_id=user_id)
        return render_usage(user_id, used, quota=quota)
