"""What one user may take: apps, memory, cores and disk by quota, and streams."""

from __future__ import annotations

import contextlib
import http.client
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from deploy.local.api import Api
from services.apps.domain.config import AppConfig
from services.apps.domain.errors import QuotaExceededError
from services.apps.domain.quotas import check_quota
from services.clients.auth.values import Quota
from services.common.identity.tokens import Caller, User
from services.common.rpc.call import Call
from services.common.rpc.server_context import (
    MOST_CALLS,
    MOST_STREAMS,
    Calls,
    Streams,
    TooManyCallsError,
    TooManyStreamsError,
)
from tests.e2e.stack import RunningStack
from tests.security.principals import register

FLOOD = "127.40.0.9"
CONFIGS = [AppConfig(memory=512, cores=2, disk_size=8), AppConfig(memory=512, cores=1, disk_size=4)]


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
    assert sorted(answer.status_code for answer in answers) == [201, 201, 403, 403]
    refused = next(answer.json() for answer in answers if answer.status_code == 403)
    assert refused["error"].startswith("quota of apps: with this it would be 3, and 2 are allowed")
    set_quota(stack, session, memory=2000)
    answer = deploy(api, memory=1024)
    assert answer.status_code == 403
    assert "quota of memory: with this it would be 2048 MB" in answer.json()["error"]
    assert deploy(api, memory=512).status_code == 201
    assert "quota" not in set_quota(stack, session)


def test_a_user_cannot_change_the_own_quota(stack: RunningStack) -> None:
    session, api = register(stack)
    set_quota(stack, session, apps=0)
    own = api._request("PATCH", "/auth/user", {"bio": "x", "quota": {"apps": 10}})
    assert (own.status_code, "quota" in own.json()["error"]) == (400, True)
    assert api._request("PATCH", f"/auth/users/{session['user']['id']}", {"quota": {}}).status_code == 403
    assert deploy(api).status_code == 403
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


def make_call(address: str = "192.0.2.1", **caller: Any) -> Call:
    return Call("/x/Y", {"x-forwarded-for": address}, caller=Caller(**caller))


def test_all_streams_together_leave_room_for_calls() -> None:
    streams = Streams(2, total=3)
    people = [make_call(user=User(number, "ann", is_staff=False)) for number in range(3)]
    with streams.hold(people[0]), streams.hold(people[0]), streams.hold(people[1]):
        with pytest.raises(TooManyStreamsError, match="all 3 streams"), streams.hold(people[2]):
            pass
        with streams.hold(make_call(service="apps")):
            pass
    with streams.hold(people[2]):
        pass
    assert MOST_STREAMS < MOST_CALLS


def test_streams_of_nobody_count_for_their_address() -> None:
    streams = Streams(1)
    with streams.hold(make_call()):
        with pytest.raises(TooManyStreamsError, match=r"192\.0\.2\.1"), streams.hold(make_call()):
            pass
        with streams.hold(make_call("192.0.2.2")):
            pass


@pytest.mark.parametrize("stage", ["admitting", "handling"])
def test_an_address_has_a_limited_number_of_calls_under_way(stage: str) -> None:
    calls = Calls(per_user=5, per_address=2)
    begin = getattr(calls, stage)
    with begin(make_call()), begin(make_call()):
        with pytest.raises(TooManyCallsError, match=r"192\.0\.2\.1 has 2 calls"):
            begin(make_call())
        with begin(make_call("192.0.2.2")):
            pass
    with begin(make_call()):
        pass


def test_an_address_of_ipv6_is_the_network_that_one_client_owns() -> None:
    calls = Calls(per_address=1)
    with calls.handling(make_call("2001:db8:1:2::1")):
        with pytest.raises(TooManyCallsError, match="2001:db8:1:2::/64"):
            calls.handling(make_call("2001:db8:1:2:ffff::9"))
        with calls.handling(make_call("2001:db8:1:3::1")):
            pass


def test_a_user_has_a_limited_number_of_calls_under_way_from_wherever() -> None:
    calls = Calls(per_user=2, per_address=1)
    ann, bob = (User(number, name, is_staff=False) for number, name in enumerate(("ann", "bob")))
    with calls.handling(make_call(user=ann)), calls.handling(make_call("192.0.2.2", user=ann)):
        with pytest.raises(TooManyCallsError, match="ann has 2 calls"):
            calls.handling(make_call("192.0.2.3", user=ann))
        with calls.handling(make_call(user=bob)):
            pass


def test_services_are_not_counted() -> None:
    calls = Calls(per_user=1, per_address=1)
    service = Call("/x/Y", {}, peer="unix:", caller=Caller(User(1, "ann", is_staff=False), service="apps"))
    with calls.admitting(service), calls.admitting(service), calls.handling(service), calls.handling(service):
        pass


def test_calls_of_an_address_that_take_long_are_refused_and_others_are_answered(stack: RunningStack) -> None:
    """Sign-ins wait for Argon2: of more than an address may have at once some are 429, or too late on a slow machine."""

    def sign_in(number: int) -> tuple[int, str]:
        # From an address of its own, since failed sign-ins make the address wait.
        client = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=120, source_address=(FLOOD, 0))
        with contextlib.closing(client):
            body = json.dumps({"username": f"nobody-{uuid.uuid4().hex}", "password": f"wrong-{number}"})
            client.request("POST", "/api/auth/login", body, {"content-type": "application/json"})
            answer = client.getresponse()
            return answer.status, answer.read().decode()

    with ThreadPoolExecutor(160) as pool:
        pending = [pool.submit(sign_in, number) for number in range(160)]
        assert requests.get(f"{stack.url}/api/health", timeout=60).status_code == 200
        answers = [each.result() for each in pending]
    assert {status for status, _ in answers} <= {401, 429, 504}, answers
