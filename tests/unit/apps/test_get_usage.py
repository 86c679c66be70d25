"""GetUsage: what a user's apps take together, as the quota counts it."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.changes import ChangeApp
from services.apps.domain.config import AppConfig
from services.apps.domain.errors import QuotaExceededError
from services.clients.auth.values import Quota
from tests.fakes.apps_service import Service, call


async def read(service: Service, user: int, *, staff: bool = False, **fields: int) -> pb.Usage:
    return await service.api.get_usage(pb.GetUsageRequest(**fields), call(user, staff=staff))


async def test_the_apps_of_the_user_are_summed_without_adopted_ones(service: Service) -> None:
    apps = [await service.deploy(f"web-0{number}", user=1) for number in range(3)]
    await service.deploy("other", user=2)
    config = AppConfig(memory=512, cores=2, disk_size=8)
    for app in apps:
        await service.platform.store.change(ChangeApp(app.id, {"config": config}))
    await service.platform.store.change(ChangeApp(apps[2].id, {"adopted": True}))
    usage = await read(service, 1)
    assert (usage.user_id, usage.used.apps, usage.used.memory, usage.used.cores, usage.used.disk) == (
        1,
        2,
        1024,
        4,
        16,
    )
    assert (await read(service, 3)).used.apps == 0


async def test_only_administrators_see_the_usage_of_others(service: Service) -> None:
    await service.deploy("web-01", user=1)
    assert (await read(service, 2, user_id=1)).user_id == 2
    assert (await read(service, 9, staff=True, user_id=1)).used.apps == 1
    assert (await read(service, 9, staff=True)).user_id == 9


async def test_the_quota_is_the_one_that_deployments_are_refused_by(service: Service) -> None:
    service.set_quota(Quota(apps=1, memory=4096))
    await service.deploy("web-01", user=1)
    usage = await read(service, 1)
    assert (usage.quota.apps, usage.quota.memory, usage.quota.HasField("disk")) == (1, 4096, False)
    assert usage.used.apps == usage.quota.apps
    with pytest.raises(QuotaExceededError):
        await service.deploy("web-02", user=1)
