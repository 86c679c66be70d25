"""CountApps: apps of all users, by host and by catalog revision."""

from __future__ import annotations

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from tests.fakes.apps_service import Service, inner


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, 2),
        ({"host_id": 1}, 2),
        ({"host_id": 2}, 0),
        ({"revision": "r1"}, 2),
        ({"revision": "r2"}, 0),
    ],
)
async def test_apps_of_every_user_are_counted(
    service: Service, filters: dict[str, object], expected: int
) -> None:
    await service.deploy("web-01", user=1)
    await service.deploy("web-02", user=2)
    request = pb.CountAppsRequest(**filters)  # type: ignore[arg-type]
    assert (await service.internal.count_apps(request, inner())).count == expected
