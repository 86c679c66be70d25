"""ListAppLogs: the newest lines of an app's log, for its owner and for administrators."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.changes import AddLog
from services.apps.domain.errors import AppNotFoundError
from services.common.rpc.call import Call
from tests.fakes.apps_service import Service, call

LINES = 120


async def list_messages(service: Service, call_: Call, app_id: str, **fields: object) -> Sequence[str]:
    request = pb.ListAppLogsRequest(app_id=app_id, **fields)  # type: ignore[arg-type]
    answer = (await service.api.list_app_logs(request, call_)).message
    return [line.message for line in answer.logs]


async def add_lines(service: Service) -> str:
    app, other = await service.deploy("web-01"), await service.deploy("web-02", user=2)
    for app_id in (app.id, other.id):
        lines = [AddLog(app_id, f"{app_id} {n}", "warning" if n % 40 == 0 else "info") for n in range(LINES)]
        await service.platform.store.change(*lines)
    return str(app.id)


async def test_the_newest_hundred_lines_come_first_and_of_this_app_alone(service: Service) -> None:
    app_id = await add_lines(service)
    shown = await list_messages(service, call(), app_id)
    assert shown == [f"{app_id} {n}" for n in reversed(range(LINES - 100, LINES))]


@pytest.mark.parametrize(
    ("fields", "numbers"),
    [
        ({"limit": 2}, [119, 118]),
        ({"tail": 1, "limit": 2}, [119]),
        ({"level": "warning"}, [80, 40, 0]),
    ],
)
async def test_the_request_says_how_many_and_of_which_level(
    service: Service, fields: dict[str, object], numbers: list[int]
) -> None:
    app_id = await add_lines(service)
    shown = await list_messages(service, call(), app_id, **fields)
    assert shown == [f"{app_id} {n}" for n in numbers]


async def test_the_log_of_another_user_is_not_found(service: Service) -> None:
    app_id = await add_lines(service)
    with pytest.raises(AppNotFoundError):
        await list_messages(service, call(2), app_id)
    assert await list_messages(service, call(2, staff=True), app_id, limit=1) == [f"{app_id} 119"]


async def test_older_lines_are_reached_page_by_page_while_new_ones_come(service: Service) -> None:
    app_id = await add_lines(service)
    seen: list[str] = []
    before: dict[str, int] = {}
    while True:
        request = pb.ListAppLogsRequest(app_id=app_id, limit=50, **before)  # type: ignore[arg-type]
        answer = (await service.api.list_app_logs(request, call())).message
        if not answer.logs:
            break
        seen += [one.message for one in answer.logs]
        before = {"before": answer.logs[-1].id}
        await service.platform.store.change(AddLog(app_id, "meanwhile"))
    assert [one for one in seen if one.startswith(app_id)] == [
        f"{app_id} {n}" for n in reversed(range(LINES))
    ]
    assert "meanwhile" not in seen
    assert answer.total > LINES
