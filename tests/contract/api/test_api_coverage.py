"""Nothing is offered that no case looks at, and nothing is documented that is not offered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.schemas import get_rules
from gateway.surface import load_surface
from tests.contract.api.table import Case, load_cases, name_case
from tests.contract.api.world import World

SURFACE = load_surface()


def test_every_public_rpc_has_a_case_file() -> None:
    assert {name_case(method) for method in SURFACE.routed} == set(load_cases())


def test_a_case_file_of_no_rpc_is_refused(tmp_path: Path) -> None:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "fly_app.yaml").write_text('requests: ["POST /api/apps/fly"]\n', encoding="utf-8")
    with pytest.raises(ValueError, match="case apps/fly_app: there is no such RPC"):
        load_cases(tmp_path)


@pytest.mark.parametrize("case", load_cases().values(), ids=lambda case: case.name)
def test_a_case_names_every_path_of_its_rpc(case: Case) -> None:
    assert list(case.requests) == [f"{each.method} {each.path}" for each in case.method.bindings]
    assert (case.access, case.status) == (case.method.access, case.method.success)


@pytest.mark.parametrize("case", load_cases().values(), ids=lambda case: case.name)
def test_a_good_case_sends_every_field_that_can_be_sent(case: Case) -> None:
    """What no case sends, no case shows to be taken; `unsent` says why a field is left out."""
    if case.good is None:
        return
    body = case.good.body or {}
    sent = set(case.good.path) | set(case.good.query) | set(body) | set(case.unsent)
    sent |= {name for each in case.refusals for name in (each.body or {})}
    assert sent >= {field.name for field in SURFACE.get_message(case.method.input).fields}


@pytest.mark.parametrize("method", SURFACE.routed, ids=name_case)
def test_every_text_has_a_limit(method: Any) -> None:
    """A text without a limit is a way to fill the memory."""
    for field in SURFACE.get_message(method.input).fields:
        rules = get_rules(field)
        if field.type == FieldDescriptor.TYPE_STRING:
            assert rules.HasField("max_len") or getattr(rules, "in"), field.full_name
        elif field.is_repeated:
            assert rules.HasField("max_items"), field.full_name


def test_the_gateway_serves_the_document_of_the_protos(world: World, document: dict[str, Any]) -> None:
    served = world.send("GET", "/api/openapi.json")
    assert served.json() == document
    assert [error.message for error in OpenAPIV31SpecValidator(served.json()).iter_errors()] == []


def test_the_gateway_knows_each_documented_path_and_method(world: World, document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        concrete = path.replace("{", "").replace("}", "")
        answer = world.send("PROPFIND", concrete)
        assert answer.status_code == 405, path
        assert set(answer.headers["allow"].split(", ")) >= {verb.upper() for verb in operations}, path
