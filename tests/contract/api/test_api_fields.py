"""Every field of every request refuses what its type and rules exclude: 400 that names it, and nothing changes."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
from google.protobuf.descriptor import FieldDescriptor

from gateway.schemas import get_rules
from gateway.surface import Binding
from tests.contract.api.fields import (  # noqa: F401 - fixtures
    ALL,
    COUNTED,
    KEPT,
    SET_BY_PEOPLE,
    SURFACE,
    Asker,
    check_named,
    describe,
    list_fields,
    name_request,
)
from tests.contract.api.table import Case
from tests.contract.api.world import World
from tests.contract.api.wrong import list_wrong_texts, list_wrong_values


def try_body(asker: Asker, fields: list[FieldDescriptor]) -> Iterator[tuple[str, str, httpx.Response]]:
    for field in fields:
        for why, value in list_wrong_values(field):
            yield field.name, why, asker.send(body=asker.body | {field.name: value})
        if get_rules(field).required:
            yield field.name, "left out", asker.send(body=asker.without(field.name))
            yield field.name, "null", asker.send(body=asker.body | {field.name: None})


def try_query(asker: Asker, fields: list[FieldDescriptor]) -> Iterator[tuple[str, str, httpx.Response]]:
    for field in fields:
        for why, value in list_wrong_texts(field):
            yield field.name, why, asker.send(query=asker.query_with(field.name, value))


def try_path(asker: Asker, fields: list[FieldDescriptor]) -> Iterator[tuple[str, str, httpx.Response]]:
    for field in fields:
        for why, value in list_wrong_texts(field):
            if "/" not in value and value.strip("."):
                yield field.name, why, asker.send(path={field.name: quote(value, safe="")})


SENT = [each for each in ALL if SURFACE.get_message(each[0].method.input).fields]


@pytest.mark.parametrize(("case", "binding"), SENT, ids=name_request)
def test_wrong_values_are_refused_by_name_and_change_nothing(
    world: World, case: Case, binding: Binding
) -> None:
    asker = Asker(world, case, binding)
    before = None if case.method.reads else describe(world)
    for place, attempts in (("path", try_path), ("query", try_query), ("body", try_body)):
        for field, why, answer in attempts(asker, list_fields(case, binding, place)):
            check_named(answer, field, f"{why} in the {place}")
    if before is not None:
        assert describe(world) == before


@pytest.mark.parametrize(("case", "binding"), [each for each in ALL if each[1].body], ids=name_request)
def test_a_list_or_a_text_is_no_body(world: World, case: Case, binding: Binding) -> None:
    asker = Asker(world, case, binding)
    for body in ([], ["a"], "a", 5, True):
        answer = asker.send(body=body)
        assert answer.status_code == 400, f"{body!r}: {answer.text[:300]}"
        assert set(answer.json()) == {"error", "code", "details"}
