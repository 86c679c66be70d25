"""The OpenAPI document is valid and says what the protos say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.__main__ import main
from gateway.openapi import ACCESS, render_openapi
from gateway.schemas import get_rules
from gateway.surface import HTTP_BODY, parse_surface
from protos import VERSION
from tests.unit.gateway.openapi_document import (
    DOCUMENT,
    SURFACE,
    find_answer,
    find_body,
    find_operation,
    list_operations,
    resolve,
)


def test_it_is_valid() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_the_same_protos_give_the_same_document(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    for file in (first, second):
        assert main(["openapi", "--out", str(file)]) == 0
    assert first.read_text() == second.read_text()
    assert json.loads(first.read_text()) == render_openapi(parse_surface(SURFACE.image)) == DOCUMENT


def test_it_has_exactly_the_routed_paths() -> None:
    declared = {(b.path, b.method) for m in SURFACE.routed for b in m.bindings}
    assert {(path, verb) for path, verb, _ in list_operations()} == declared


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, _, operation in list_operations()]
    assert len(set(names)) == len(names)
    assert find_operation("POST", "/api/auth/registration")["operationId"] == "RegisterUser"
    alias = find_operation("POST", "/api/auth/register")
    assert alias["operationId"] == "RegisterUserAtRegister"
    assert find_operation("PUT", "/api/auth/me")["operationId"] == "UpdateCurrentUserAtMeByPut"
    assert "same as POST /api/auth/registration" in alias["description"]


def test_every_operation_is_described() -> None:
    for path, verb, operation in list_operations():
        assert operation["summary"], (verb, path)
        assert not operation["summary"].endswith(".")
        assert ACCESS[operation["x-access"]] in operation["description"], (verb, path)


@pytest.mark.parametrize("method", [m for m in SURFACE.routed if m.bindings], ids=lambda m: m.name)
def test_access_status_and_headers_are_the_declared_ones(method: Any) -> None:
    for binding in method.bindings:
        operation = find_operation(binding.method, binding.path)
        assert operation["x-access"] == method.access
        assert (operation["security"] == []) == (method.access == "public")
        statuses = set(operation["responses"])
        assert str(method.success) in statuses
        assert {str(error) for error in method.errors} <= statuses
        assert {"400", "401", "403", "404", "429", "500", "503", "504"} <= statuses
        assert ("415" in statuses) == ("413" in statuses) == bool(binding.body)
        headers = {p["name"] for p in operation.get("parameters", []) if p["in"] == "header"}
        assert ("Idempotency-Key" in headers) == method.creates
        assert ("Last-Event-ID" in headers) == (method.is_endless and method.output == HTTP_BODY)
        content = operation["responses"][str(method.success)].get("content", {})
        assert (content == {}) == (method.success == 204)
        if method.is_array:
            assert content["application/json"]["schema"]["type"] == "array"


def test_path_and_query_have_every_field_of_a_read() -> None:
    for method in SURFACE.routed:
        for binding in method.bindings:
            if binding.body:
                continue
            parameters = find_operation(binding.method, binding.path).get("parameters", [])
            named = {p["name"] for p in parameters if p["in"] in {"path", "query"}}
            assert named == {field.name for field in SURFACE.get_message(method.input).fields}
            in_path = {p["name"] for p in parameters if p["in"] == "path"}
            assert in_path == set(re.findall(r"{(\w+)}", binding.path))


def test_errors_have_one_schema() -> None:
    for path, verb, operation in list_operations():
        for status, response in operation["responses"].items():
            if int(status) >= 400 and not (path.endswith("/health") and status == "503"):
                assert response == {"$ref": f"#/components/responses/Error{status}"}, (verb, path)
    assert resolve({"$ref": "#/components/schemas/Error"})["required"] == ["error", "code", "details"]


def test_rules_of_fields_are_in_the_schemas() -> None:
    body = find_body("POST", "/api/apps")
    assert body["required"] == ["catalog_id", "hostname"]
    hostname = body["properties"]["hostname"]
    assert (hostname["minLength"], hostname["maxLength"]) == (3, 63)
    assert re.search(hostname["pattern"], "web-01")
    assert not re.search(hostname["pattern"], "web_01")
    backup = find_body("POST", "/api/apps/{app_id}/backups")["properties"]
    assert backup["backup_type"]["enum"] == ["snapshot", "suspend", "stop", None]
    assert backup["backup_type"]["type"] == ["string", "null"], "left out is the same as null"
    assert hostname["type"] == "string"
    assert "app_id" not in backup
    scopes = find_body("POST", "/api/auth/tokens")["properties"]["scopes"]
    assert (scopes["maxItems"], scopes["items"]["enum"]) == (3, ["read", "write", "admin"])
    cores = find_body("POST", "/api/core/settings/resources")["properties"]["default_cpu_cores"]
    assert (cores["minimum"], cores["maximum"]) == (1, 128)
    [per_page] = [p for p in find_operation("GET", "/api/apps")["parameters"] if p["name"] == "per_page"]
    assert (per_page["schema"]["minimum"], per_page["schema"]["maximum"], per_page["required"]) == (
        1,
        100,
        False,
    )


def test_secrets_are_write_only_and_have_no_example() -> None:
    password = find_body("POST", "/api/auth/login")["properties"]["password"]
    assert password["writeOnly"] is True
    assert "examples" not in password
    for name in {method.input for method in SURFACE.routed}:
        for field in SURFACE.get_message(name).fields:
            assert not (get_rules(field).secret and get_rules(field).example), field.full_name


def test_answers_require_what_is_always_printed() -> None:
    app = find_answer("GET", "/api/apps/{app_id}")
    assert {"id", "status", "environment", "conditions", "created_at"} <= set(app["required"])
    assert "url" not in app["required"]
    assert app["properties"]["created_at"]["format"] == "date-time"
    assert app["properties"]["memory_used"]["type"] == "number"
    assert app["properties"]["environment"]["additionalProperties"] == {"type": "string"}


def test_comments_are_the_descriptions() -> None:
    assert find_answer("GET", "/api/auth/user")["properties"]["is_staff"]["description"] == "Administrator."
    assert find_operation("POST", "/api/apps")["summary"] == "Deploy an app from the catalog"


def test_every_reference_leads_somewhere() -> None:
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT)):
        target: Any = DOCUMENT
        for part in reference.split("/"):
            target = target[part]
        assert target, reference


def test_the_version_is_the_release() -> None:
    assert DOCUMENT["info"]["version"] == VERSION


def test_every_body_has_an_example_that_it_allows() -> None:
    for path, verb, operation in list_operations():
        if "requestBody" in operation:
            content = operation["requestBody"]["content"]["application/json"]
            schema = content["schema"] | {"components": DOCUMENT["components"]}
            faults = [
                error.message for error in jsonschema_rs.validator_for(schema).iter_errors(content["example"])
            ]
            assert faults == [], (verb, path)


def test_every_example_of_a_field_is_one_that_it_allows() -> None:
    refused = [
        f"{name}.{field}: {example!r}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for field, rules in schema.get("properties", {}).items()
        for example in rules.get("examples", [])
        if not jsonschema_rs.validator_for({**rules, "components": DOCUMENT["components"]}).is_valid(example)
    ]
    assert refused == []


def test_every_state_of_an_answer_names_its_values() -> None:
    """A client's types come from them. Fields that name no closed set are listed."""
    # The kind of a target is a word of the entry's text.
    open_sets = {
        "AuditTarget.kind",
        "Item.platform",
        "ItemPort.purpose",
        "ItemVolume.purpose",
        "DiscoveredContainer.status",
    }
    states = ("status", "kind", "level", "runtime", "exec_mode", "backup_type")
    found = {
        f"{name}.{field}"
        for name, schema in DOCUMENT["components"]["schemas"].items()
        for field, described in schema.get("properties", {}).items()
        if field in states
        and described.get("type") == "string"
        and not {"enum", "x-extensible-enum"} & set(described)
    }
    assert found - open_sets == set()


def test_answers_have_content_types() -> None:
    for path, verb, operation in list_operations():
        for answer in operation["responses"].values():
            assert "*/*" not in answer.get("content", {}), (verb, path)
    icon = find_operation("GET", "/api/catalog/{app_id}/icon")["responses"]["200"]["content"]
    assert {"image/svg+xml", "image/png"} <= set(icon)


def test_the_data_of_events_is_described() -> None:
    answer = find_operation("GET", "/api/apps/{app_id}/events")["responses"]["200"]
    schema = answer["content"]["text/event-stream"]["schema"]
    assert schema == {"$ref": "#/components/schemas/AppEvent"}
    kinds = [each["$ref"].rpartition("/")[2] for each in resolve(schema)["anyOf"]]
    assert kinds == ["AppStatus", "LogEntry", "DeleteAppResponse", "Error"]
