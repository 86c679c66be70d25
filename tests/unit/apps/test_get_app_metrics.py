"""GetAppMetrics: the history of the app's own container, with gaps."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.errors import AppNotFoundError
from services.clients.inventory.errors import ContainerNotFoundError
from services.clients.inventory.metrics import MetricHistory, MetricSample
from services.common.core.errors import ForbiddenError
from tests.fakes.apps_service import Service, call
from tests.fakes.unmanaged_apps import deploy_running, replace_by_stranger

AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


async def test_samples_are_shown_with_their_gaps_and_zeros(service: Service) -> None:
    app = await deploy_running(service)
    samples = (
        MetricSample(AT, {}),
        MetricSample(AT.replace(minute=1), {"cpu_usage": 0.0, "memory_used": 5.0}),
    )
    service.platform.containers.history = MetricHistory("", 60, samples)
    for timeframe, expected in (("", "hour"), ("year", "year")):
        request = pb.GetAppMetricsRequest(app_id=app.id, range=timeframe)
        answer = await service.api.get_app_metrics(request, call())
        assert (answer.range, answer.interval_s) == (expected, 60)
        gap, measured = answer.samples
        assert (gap.HasField("cpu_usage"), gap.time.ToDatetime(UTC)) == (False, AT)
        assert (measured.HasField("cpu_usage"), measured.cpu_usage, measured.memory_used) == (True, 0, 5)
        assert not measured.HasField("disk_read")


async def test_only_the_owner_sees_the_history_of_a_container_that_is_the_apps(service: Service) -> None:
    app = await service.deploy()
    request = pb.GetAppMetricsRequest(app_id=app.id)
    with pytest.raises(ContainerNotFoundError, match="has no container"):
        await service.api.get_app_metrics(request, call())
    await service.platform.run()
    assert (await service.api.get_app_metrics(request, call())).range == "hour"
    with pytest.raises(AppNotFoundError):
        await service.api.get_app_metrics(request, call(2))
    replace_by_stranger(service, await service.platform.store.get_app(app.id), owner="other-12345678")
    with pytest.raises(ForbiddenError):
        await service.api.get_app_metrics(request, call())
