"""Measurements of apps: now, and over time."""

from __future__ import annotations

from proximity.apps.v1 import apps_service_pb2 as pb
from proximity.common.v1 import metrics_pb2

from services.clients.inventory.metrics import MetricHistory
from services.clients.inventory.values import Container
from services.common.rpc.responses.rendered import render_time


def render_stats(live: Container) -> pb.AppStats:
    """Render the metrics of a container."""
    return pb.AppStats(
        cpu_usage=round(live.cpu_usage * 100, 2),
        memory_used=live.memory_used,
        memory_total=live.memory,
        disk_used=live.disk_used,
        disk_total=live.disk,
        uptime=live.uptime,
        status=live.status,
    )


def render_history(history: MetricHistory) -> metrics_pb2.MetricHistory:
    """Render measurements over time; what was not measured is absent."""
    return metrics_pb2.MetricHistory(
        range=history.range,
        interval_s=history.interval_s,
        samples=[
            metrics_pb2.MetricSample(time=render_time(sample.time), **sample.values)
            for sample in history.samples
        ],
    )
