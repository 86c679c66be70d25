"""Metrics of apps: now, and over time."""
# ruff: noqa: D102 - RPCs are documented in the proto, once

from __future__ import annotations

from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.common.v1 import metrics_pb2

from services.apps.convert import metrics as convert
from services.apps.handlers.base import BaseHandlers
from services.apps.usecases.get_app_metrics import get_app_metrics
from services.apps.usecases.get_app_stats import get_app_stats
from services.common.rpc.call import Call


class MetricHandlers(BaseHandlers):
    """Metrics of apps: now, and over time."""

    async def get_app_stats(self, request: pb.GetAppStatsRequest, call: Call) -> pb.AppStats:
        call.audit_target = request.app_id
        container = await get_app_stats(
            self.dependencies.store,
            self.dependencies.containers,
            app_id=request.app_id,
            owner_filter=call.owner_filter,
        )
        return convert.render_stats(container)

    async def get_app_metrics(
        self, request: pb.GetAppMetricsRequest, call: Call
    ) -> metrics_pb2.MetricHistory:
        call.audit_target = request.app_id
        history = await get_app_metrics(
            self.dependencies.store,
            self.dependencies.containers,
            app_id=request.app_id,
            owner_filter=call.owner_filter,
            timeframe=request.range,
        )
        return convert.render_history(history)
