"""ListApps: which apps a user sees."""

from __future__ import annotations

from dataclasses import replace

import pytest
from proximity.apps.v1 import apps_service_pb2 as pb

from services.apps.domain.entities import AppFilter
from services.apps.domain.errors import AppNotFoundError
from services.common.core.errors import InvalidError
from services.common.rpc.call import Call
from tests.fakes.apps_platform import Platform
from tests.fakes.apps_service import Service, call


async def test_somebody_elses_app_does_not_exist(platform: Platform) -> None:
    app = await platform.deploy(owner=1)
    with pytest.raises(AppNotFoundError):
        await platform.store.get_app(app.id, owner=2)
    assert await platform.store.list_stamps(AppFilter(owner_id=2), page=1, per_page=10) == ([], 0)


async def test_a_user_sees_the_own_apps_alone_whichever_owner_is_requested(service: Service) -> None:
    own, other = await service.deploy("web-01", user=1), await service.deploy("web-02", user=2)

    async def show(caller: Call, **fields: object) -> set[str]:
        request = pb.ListAppsRequest(**fields)  # type: ignore[arg-type]
        return {app.id for app in (await service.api.list_apps(request, caller)).message.apps}

    assert await show(call(1), owner=2) == await show(call(1)) == {own.id}
    assert await show(call(9, staff=True), owner=2) == {other.id}
    assert await show(call(9, staff=True)) == {own.id, other.id}


async def test_running_apps_have_the_metrics_that_each_of_them_shows(service: Service) -> None:
    apps = [await service.deploy(f"web-0{number}") for number in range(2)]
    await service.platform.run()
    await service.deploy("web-03")
    containers = service.platform.containers.containers
    for number, container in enumerate(list(containers.values())):
        used = replace(
            container, cpu_usage=0.25, memory_used=1e6 * (number + 1), memory=4e6, disk=8e6, disk_used=2e6
        )
        containers[container.vmid] = used
    shown = {app.id: app for app in (await service.api.list_apps(pb.ListAppsRequest(), call())).message.apps}
    for app in apps:
        alone = (await service.api.get_app(pb.GetAppRequest(app_id=app.id), call())).message
        assert shown[app.id] == alone
        assert (alone.cpu_usage, alone.memory_total, alone.disk_used) == (25, 4e6, 2e6)
    assert len({shown[app.id].memory_used for app in apps}) == 2
    (deploying,) = (app for app in shown.values() if app.id not in {app.id for app in apps})
    assert not deploying.HasField("cpu_usage")


async def test_a_list_is_answered_without_metrics_while_a_host_is_silent(service: Service) -> None:
    app = await service.deploy()
    await service.platform.run()
    service.platform.containers.complete = False
    (shown,) = (await service.api.list_apps(pb.ListAppsRequest(), call())).message.apps
    assert shown.id == app.id
    assert not shown.HasField("memory_used")


async def list_behind(service: Service, after: str, caller: Call, **fields: object) -> list[str]:
    request = pb.ListAppsRequest(after=after, **fields)  # type: ignore[arg-type]
    return [app.id for app in (await service.api.list_apps(request, caller)).message.apps]


async def test_pages_behind_an_app_skip_and_repeat_nothing_while_apps_come_and_go(service: Service) -> None:
    made = [(await service.deploy(f"web-{number:02}", user=1)).id for number in range(7)]
    await service.platform.run()
    newest_first = made[::-1]
    first = [
        app.id for app in (await service.api.list_apps(pb.ListAppsRequest(per_page=3), call(1))).message.apps
    ]
    assert first == newest_first[:3]
    await service.deploy("newer", user=1)
    await service.platform.act(first[-1], "delete")  # the one that the next page begins behind
    await service.platform.run()
    second = await list_behind(service, first[-1], call(1), per_page=3)
    assert second == newest_first[3:6]
    await service.platform.act(second[0], "stop")  # another order by change, and the same by age
    await service.platform.run()
    assert await list_behind(service, second[-1], call(1), per_page=3) == newest_first[6:]
    assert await list_behind(service, newest_first[-1], call(1), per_page=3) == []


async def test_pages_behind_an_app_keep_to_their_filter_and_count_all(service: Service) -> None:
    made = [(await service.deploy(f"web-{number:02}", user=1)).id for number in range(4)]
    await service.deploy("other", user=1)
    request = pb.ListAppsRequest(after=made[3], search="WEB-", per_page=2)
    answer = (await service.api.list_apps(request, call(1))).message
    assert ([app.id for app in answer.apps], answer.total) == ([made[2], made[1]], 4)
    again = (await service.api.list_apps(request, call(1))).message
    assert again == answer


async def test_apps_of_others_and_unknown_ones_are_no_place_to_begin_behind(service: Service) -> None:
    own, other = await service.deploy("web-01", user=1), await service.deploy("web-02", user=2)
    for after in (other.id, "nothing-12345678"):
        with pytest.raises(InvalidError, match="begin again without it"):
            await list_behind(service, after, call(1))
    assert await list_behind(service, other.id, call(9, staff=True)) == [own.id]
    with pytest.raises(InvalidError, match="either page or after"):
        await list_behind(service, own.id, call(1), page=1)


async def test_the_next_page_behind_an_app_is_named(service: Service) -> None:
    made = [(await service.deploy(f"web-{number:02}", user=1)).id for number in range(4)]
    for after, expected in ((made[3], f"after={made[1]}&per_page=2"), (made[1], "")):
        caller = Call(
            "/x",
            {"x-envoy-original-path": f"/api/apps?search=web&after={after}&per_page=2"},
            caller=call(1).caller,
        )
        await list_behind(service, after, caller, per_page=2)
        (link,) = (value for name, value in caller.headers if name == "link")
        assert link.startswith('</api/apps?search=web&per_page=2>; rel="first"')
        assert (f"search=web&{expected}" in link) if expected else ("next" not in link)
