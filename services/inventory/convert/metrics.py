"""Protobuf <-> domain: measurements over time."""

from __future__ import annotations

import dataclasses

from proximity.common.v1 import metrics_pb2

from services.common.rpc.responses.rendered import render_time
from services.inventory.domain.metrics import MeasuredHistory, Measurement


def render_history(history: MeasuredHistory) -> metrics_pb2.MetricHistory:
    """Render measurements; what was not measured is absent."""
    return metrics_pb2.MetricHistory(
        range=history.range,
        interval_s=history.interval_s,
        samples=[_render_sample(sample) for sample in history.samples],
    )


def _render_sample(sample: Measurement) -> metrics_pb2.MetricSample:
    values = dataclasses.asdict(sample)
    return metrics_pb2.MetricSample(time=render_time(values.pop("time")), **values)
