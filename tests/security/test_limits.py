"""What one user may take: apps, memory, cores and disk by quota, and streams."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from deploy.local.api import Api
from services.apps.domain.errors import QuotaExceededError
from services.apps.domain.quotas import Quota, check_quota
from services.common.identity.tokens import Caller, User
from services.common.rpc.call import Call
from services.common.rpc.stream_limits import Streams, TooManyStreamsError
from tests.e2e.stack import RunningStack
from tests.security.principals import register

CONFIGS = [{"memory": 512, "cores": 2, "disk_size": 8}, {"memory": 512, "cores": 1, "disk_size": 4}]


@pytest.mark.parametrize(
    ("quota", "said"),
    [
        (Quota(apps=1), "quota of apps: with this it would be 2, and 1 are allowed"),
        (Quota(memory=1000), "quota of memory: with this it would be 1024 MB, and 1000 MB are allowed"),
        (Quota(cores=2), "quota of cores: with this it would be 3, and 2 are allowed"),
        (Quota(disk=11), "quota of disk: with this it would be 12 GB, and 11 GB are allowed"),
    ],
)
def test_each_limit_refuses_by_name(quota: Quota, said: str) -> None:
    with pytest.raises(QuotaExceededError) as refused:
        check_quota(quota, CONFIGS)
    assert refused.value.message == said


def test_what_is_just_enough_is_allowed_and_a_user_s_own_quota_counts_before_the_default() -> None:
    check_quota(Quota(apps=2, memory=1024, cores=3, disk=12), CONFIGS)
    check_quota(Quota(), CONFIGS * 1000)
    assert Quota(apps=5).over(Quota(apps=1, disk=7)) == Quota(apps=5, disk=7)


def set_quota(stack: RunningStack, session: dict[str, Any], **quota: int) -> dict[str, Any]:
    return stack.sign_in().send("PATCH", f"/auth/users/{session['user']['id']}", {"quota": quota})


def deploy(api: Api, **config: int) -> requests.Response:
    body = {"catalog_id": "adminer", "hostname": f"quota-{uuid.uuid4().hex[:8]}", "config": config}
    return api._request("POST", "/apps", body)


def test_an_administrator_sets_what_a_user_may_have(stack: RunningStack) -> None:
    session, api = register(stack)
    assert set_quota(stack, session, apps=2, memory=2000)["quota"] == {"apps": 2, "memory": 2000}
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: deploy(api, memory=512), range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 429, 429]
    refused = next(answer.json() for answer in answers if answer.status_code == 429)
    assert refused["error"].startswith("quota of apps: with this it would be 3, and 2 are allowed")
    set_quota(stack, session, memory=2000)
    answer = deploy(api, memory=1024)
    assert answer.status_code == 429
    assert "quota of memory: with this it would be 2048 MB" in answer.json()["error"]
    assert deploy(api, memory=512).status_code == 201
    assert "quota" not in set_quota(stack, session)


def test_a_user_cannot_change_the_own_quota(stack: RunningStack) -> None:
    session, api = register(stack)
    set_quota(stack, session, apps=0)
    api._request("PATCH", "/auth/user", {"bio": "x", "quota": {"apps": 10}})
    assert api._request("PATCH", f"/auth/users/{session['user']['id']}", {"quota": {}}).status_code == 403
    assert deploy(api).status_code == 429
    bad = stack.sign_in()._request("PATCH", f"/auth/users/{session['user']['id']}", {"quota": {"apps": -1}})
    assert (bad.status_code, "quota.apps" in bad.text) == (400, True)


def test_a_user_holds_a_limited_number_of_streams() -> None:
    streams = Streams(2)
    mine = Call("/x/Y", {}, caller=Caller(User(1, "ann", is_staff=False)))
    other = Call("/x/Y", {}, caller=Caller(User(2, "bob", is_staff=False)))
    with streams.hold(mine), streams.hold(mine):
        with pytest.raises(TooManyStreamsError), streams.hold(mine):
            pass
        with streams.hold(other):
            pass
    with streams.hold(mine):
        pass
    service = Call("/x/Y", {}, caller=Caller(User(1, "ann", is_staff=False), service="apps"))
    with streams.hold(service), streams.hold(service), streams.hold(service):
        pass
