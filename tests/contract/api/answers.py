"""Requests of a case and checks of their answers."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import httpx

from gateway.surface import Binding
from tests.contract.api.callers import Json
from tests.contract.api.documented import Documented
from tests.contract.api.table import Case, Request
from tests.contract.api.world import World

CALLERS = {"public": "anonymous", "user": "alice", "owner": "alice", "admin": "admin"}


def choose_caller(case: Case, request: Request) -> str:
    return request.caller or CALLERS[case.access]


def fill_path(binding: Binding, values: Json) -> str:
    path = binding.path
    for name in binding.variables:
        path = path.replace(f"{{{name}}}", str(values[name]))
    return path


def send_request(
    world: World, case: Case, request: Request, *, binding: Binding, made: Json, **how: Any
) -> httpx.Response:
    path = fill_path(binding, world.resolve(request.path, made))
    caller = how.pop("caller", None) or world.resolve(choose_caller(case, request), made)
    if how.pop("slash", False):
        path += "/"
    if request.query:
        how["params"] = world.resolve(request.query, made)
    if request.body is not None:
        how["json"] = world.resolve(request.body, made)
    return world.send(binding.method, path, caller=caller, headers=request.headers, **how)


def check_answer(
    world: World, case: Case, answer: httpx.Response, *, made: Json, binding: Binding, documented: Documented
) -> None:
    assert case.good is not None
    assert answer.status_code == case.good.status, f"{answer.request.url}: {answer.text[:600]}"
    documented.check(answer, binding)
    for name in case.good.sends:
        assert name in answer.headers, f"{name} is missing: {dict(answer.headers)}"
    if "location" in answer.headers:
        check_location(world, answer, deleted=binding.method == "DELETE")
    if case.good.status == 204:
        assert answer.content == b""
        return
    if not answer.headers["content-type"].startswith("application/json"):
        return
    check_values(answer.json(), world.resolve(case.good.answer, made))


def check_location(world: World, answer: httpx.Response, *, deleted: bool) -> None:
    """There is something to look at; what is being deleted may be gone by then."""
    found = world.send("GET", answer.headers["location"], caller="admin")
    assert found.status_code == 200 or (deleted and found.status_code == 404), found.text
    assert int(answer.headers["retry-after"]) >= 0


def check_repetition(world: World, case: Case, request: Request, first: httpx.Response, **how: Any) -> None:
    """The same key with the same body gives the first answer again, and with another body 409."""
    again = send_request(world, case, request, **how)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.headers.get("location") == first.headers.get("location")
    assert case.differ, f"{case.name} says nothing under `differ`"
    other = replace(request, body=(request.body or {}) | case.differ)
    answer = send_request(world, case, other, **how)
    check_refusal(answer, Request(why="another body", status=409, code="ALREADY_EXISTS"))


def check_values(found: Any, wanted: Any) -> None:
    if isinstance(wanted, dict):
        for name, each in wanted.items():
            assert name in found, f"{name} is missing in {found}"
            check_values(found[name], each)
    else:
        assert found == wanted


def check_refusal(answer: httpx.Response, request: Request) -> None:
    assert answer.status_code == request.status, f"{request.why}: {answer.status_code} {answer.text[:600]}"
    body = answer.json()
    assert set(body) == {"error", "code", "details"}
    assert body["error"], "an error says what is wrong"
    if request.code:
        assert body["code"] == request.code
    if request.error:
        assert request.error in body["error"]
    if request.field:
        assert request.field in list_violations(body), body


def list_violations(body: Json) -> list[str]:
    return [each["field"] for detail in body["details"] for each in detail.get("field_violations", ())]


def wait_for_status(world: World, path: str, status: int) -> Any:
    deadline = time.monotonic() + 60
    while True:
        answer = world.send("GET", path, caller="alice")
        if answer.status_code == status:
            return answer
        assert time.monotonic() < deadline, f"{path} is not {status} within 60 s: {answer.text}"
        time.sleep(0.05)
