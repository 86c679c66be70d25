"""Types in the OpenAPI document are ones that generators of clients make something of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from gateway.schemas import get_rules
from services.apps.domain.config import KEYS, parse_config
from services.common.core.errors import InvalidError
from tests.unit.gateway.openapi_document import (
    DOCUMENT,
    SURFACE,
    find_body,
)


def test_every_list_by_pages_can_begin_behind_an_entry() -> None:
    """Page numbers skip and repeat entries while others come and go."""
    paged = [m for m in SURFACE.routed if "per_page" in SURFACE.get_message(m.input).fields_by_name]
    assert len(paged) >= 10
    without = [m.name for m in paged if "after" not in SURFACE.get_message(m.input).fields_by_name]
    assert without == []
    assert [
        m.name for m in paged if SURFACE.get_message(m.input).fields_by_name["page"].has_presence is False
    ] == []


def test_every_number_of_a_body_has_an_ordinary_example() -> None:
    """Without one, Swagger UI shows -2147483648."""
    numbers = {
        f"{name}.{field}": schema
        for name, each in DOCUMENT["components"]["schemas"].items()
        for field, schema in each.get("properties", {}).items()
        if {"integer", "number"}
        & set([schema.get("type")] if isinstance(schema.get("type"), str) else schema.get("type", []))
    }
    assert len(numbers) > 50
    for name, schema in numbers.items():
        [example] = schema["examples"]
        assert 0 <= example < 1_000_000_000, name
        assert schema.get("minimum", 0) <= example <= schema.get("maximum", example), name


def test_what_may_be_absent_is_not_required() -> None:
    required = [
        f"{name}.{field}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for field, described in schema.get("properties", {}).items()
        if re.search(r"\b[Aa]bsent (where|before|for|when|while)", described.get("description", ""))
        and field in schema.get("required", ())
    ]
    assert required == []
    assert "time" not in DOCUMENT["components"]["schemas"]["OutputLine"]["required"]


@pytest.mark.parametrize("method", [m for m in SURFACE.routed if m.takes_json], ids=lambda m: m.name)
def test_null_is_allowed_where_a_field_may_be_left_out(method: Any) -> None:
    binding = next(each for each in method.bindings if each.body)
    body = find_body(binding.method, binding.path)
    for name, schema in body.get("properties", {}).items():
        rules = get_rules(SURFACE.get_message(method.input).fields_by_name[name])
        whole = {**schema, "components": DOCUMENT["components"]}
        allowed = name not in body.get("required", ()) and not rules.null_refused
        assert jsonschema_rs.validator_for(whole).is_valid(None) == allowed, name


@pytest.mark.parametrize("method", [m for m in SURFACE.routed if m.takes_json], ids=lambda m: m.name)
def test_bodies_exclude_unknown_fields(method: Any) -> None:
    binding = next(each for each in method.bindings if each.body)
    assert find_body(binding.method, binding.path)["additionalProperties"] is False


def test_alternatives_are_components_or_null() -> None:
    """Generators make a type of each other alternative: of an address or an empty text, an object without fields.

    They pass over `not`.
    """

    def walk(schema: Any) -> Iterator[dict[str, Any]]:
        if isinstance(schema, dict):
            yield schema
        for each in (
            (value for name, value in schema.items() if name != "not")
            if isinstance(schema, dict)
            else schema
            if isinstance(schema, list)
            else ()
        ):
            yield from walk(each)

    for schema in walk(DOCUMENT):
        for alternative in schema.get("anyOf", ()):
            assert "$ref" in alternative or alternative == {"type": "null"}, schema


def test_settings_of_a_deployment_are_typed() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["App"]["properties"]["config"] == {"$ref": "#/components/schemas/AppConfig"}
    answer, request = schemas["AppConfig"], schemas["AppConfigInput"]
    assert set(answer["properties"]) == set(request["properties"]) == set(KEYS)
    assert "additionalProperties" not in answer, "a later release may add to it"
    assert request["additionalProperties"] is False
    memory = {"memory": 63}
    assert not jsonschema_rs.validator_for(request).is_valid(memory)
    with pytest.raises(InvalidError):
        parse_config(memory)
