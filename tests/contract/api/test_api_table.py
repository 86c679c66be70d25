"""Every RPC through the whole stack, as its case file says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from gateway.surface import Binding
from tests.contract.api.answers import (  # noqa: F401 - fixtures
    CALLERS,
    check_answer,
    check_location,
    check_refusal,
    check_repetition,
    check_values,
    choose_caller,
    fill_path,
    list_violations,
    send_request,
)
from tests.contract.api.callers import Json
from tests.contract.api.documented import Documented
from tests.contract.api.table import Case, Request, load_cases
from tests.contract.api.world import World

CASES = [case for case in load_cases().values() if case.requests]


def list_ways(case: Case) -> Iterator[tuple[str, bool]]:
    """How a request is sent: by which credential, and whether with a slash at the end."""
    yield "bearer", False
    if not case.once:
        yield "cookie", True
    if case.method.reads:
        yield "cookie", False
        yield "bearer", True


GOOD = [
    pytest.param(case, binding, via, slash, id=f"{case.name}-{binding.method}-{number}-{via}{'/' * slash}")
    for case in CASES
    if case.good is not None and not case.stream
    for number, binding in enumerate(case.method.bindings)
    for via, slash in list_ways(case)
]


@pytest.mark.parametrize(("case", "binding", "via", "slash"), GOOD)
def test_a_good_request(
    world: World, documented: Documented, case: Case, binding: Binding, via: str, slash: bool
) -> None:
    made: Json = {}
    assert case.good is not None
    how: Json = {"binding": binding, "made": made, "via": via, "slash": slash}
    request = (
        replace(case.good, headers={"Idempotency-Key": uuid4().hex}) if case.method.creates else case.good
    )
    answer = send_request(world, case, request, **how)
    check_answer(world, case, answer, made=made, binding=binding, documented=documented)
    if case.method.creates:
        check_repetition(world, case, request, answer, **how)
    if case.follow:
        world.follow(case.follow, answer, made)


@pytest.mark.parametrize("slash", [False, True])
@pytest.mark.parametrize("via", ["bearer", "cookie"])
@pytest.mark.parametrize("case", [case for case in CASES if case.stream], ids=lambda case: case.name)
def test_a_stream_begins(world: World, case: Case, via: str, slash: bool) -> None:
    assert case.good is not None
    path = fill_path(case.method.bindings[0], world.resolve(case.good.path, {})) + "/" * slash
    access = world.find_access("alice")
    headers = {"Cookie": f"proximity-auth-cookie={access}"}
    if via == "bearer":
        headers = {"Authorization": f"Bearer {access}"}
    with world.http.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert next(answer.iter_lines())


CLOSED = [case for case in CASES if case.access != "public"]


@pytest.mark.parametrize("case", CLOSED, ids=lambda case: case.name)
def test_nobody_without_credentials_gets_in(world: World, documented: Documented, case: Case) -> None:
    for binding in case.method.bindings:
        path = fill_path(binding, dict.fromkeys(binding.variables, "1"))
        for headers in ({}, {"Authorization": "Bearer abc.def.ghi"}, {"Cookie": "proximity-auth-cookie=abc"}):
            answer = world.send(binding.method, path, headers=headers)
            check_refusal(answer, Request(why=str(headers), status=401, code="UNAUTHENTICATED"))
            assert answer.headers["www-authenticate"].startswith("Bearer")
            documented.check(answer, binding)


@pytest.mark.parametrize("case", [c for c in CASES if c.access == "admin"], ids=lambda case: case.name)
def test_users_may_not_do_what_is_for_administrators(
    world: World, documented: Documented, case: Case
) -> None:
    for binding in case.method.bindings:
        path = fill_path(binding, dict.fromkeys(binding.variables, "1"))
        answer = world.send(binding.method, path, caller="alice")
        wanted = Request(status=403, code="PERMISSION_DENIED", error="Admin privileges required")
        check_refusal(answer, wanted)
        documented.check(answer, binding)


WRITES = [case for case in CLOSED if not case.method.reads]


@pytest.mark.parametrize("case", WRITES, ids=lambda case: case.name)
def test_a_cookie_alone_does_not_write(world: World, case: Case) -> None:
    """A page elsewhere can make a browser send the cookie, but not read the token beside it."""
    access = world.find_access(CALLERS[case.access])
    cookies = f"proximity-auth-cookie={access}; csrftoken=t"
    for binding in case.method.bindings:
        path = fill_path(binding, dict.fromkeys(binding.variables, "1"))
        bad: tuple[dict[str, str], ...] = (
            {},
            {"X-CSRFToken": "u"},
            {"X-CSRFToken": "t", "Origin": "https://evil.example"},
        )
        for headers in bad:
            answer = world.send(binding.method, path, headers={"Cookie": cookies, **headers})
            check_refusal(answer, Request(why=str(headers), status=403, code="PERMISSION_DENIED"))


@pytest.mark.parametrize("case", [c for c in CASES if c.access == "owner"], ids=lambda case: case.name)
def test_what_is_somebody_elses_does_not_exist(world: World, documented: Documented, case: Case) -> None:
    """Bob gets the same answer for Alice's app as for none, but for the name he asked by."""
    given = case.good.path if case.good else case.refusals[0].path | {"app_id": "$app.id"}
    for binding in case.method.bindings:
        hidden = world.resolve(given | {"app_id": "$app.id"}, {})
        answers = []
        for values in (hidden, hidden | {"app_id": "whoami-00000000"}):
            request = Request(status=404, code="NOT_FOUND", body=case.good.body if case.good else None)
            body = world.resolve(request.body, {})
            how = {} if body is None else {"json": body}
            answer = world.send(binding.method, fill_path(binding, values), caller="bob", **how)
            check_refusal(answer, request)
            documented.check(answer, binding)
            answers.append(answer.text.replace(values["app_id"], "the app"))
        assert answers[0] == answers[1]


REFUSED = [
    pytest.param(case, request, id=f"{case.name}-{request.why}")
    for case in CASES
    for request in case.refusals
]


@pytest.mark.parametrize(("case", "request_"), REFUSED)
def test_a_refusal_says_why(world: World, documented: Documented, case: Case, request_: Request) -> None:
    made: Json = {}
    binding = case.method.bindings[0]
    answer = send_request(world, case, request_, binding=binding, made=made)
    check_refusal(answer, request_)
    documented.check(answer, binding)
