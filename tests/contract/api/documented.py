"""Whether an answer is one that the OpenAPI document names."""

from __future__ import annotations

from typing import Any

import httpx
import jsonschema_rs

from gateway.surface import Binding

Json = dict[str, Any]


def _close(schema: Any) -> Any:
    """The same with extensible enums and objects closed: this release gives no value and no field beyond the document."""
    if isinstance(schema, list):
        return [_close(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _close(value) for key, value in schema.items()}
    if "x-extensible-enum" in closed:
        closed["enum"] = closed["x-extensible-enum"]
    if isinstance(closed.get("properties"), dict) and "@type" not in closed["properties"]:
        closed.setdefault("additionalProperties", False)
    return closed


class Documented:
    """The OpenAPI document, its schemas compiled when they are first asked for."""

    def __init__(self, document: Json) -> None:
        self.document = _close(document)
        self._validators: dict[tuple[str, str, int], Any] = {}

    def check(self, answer: httpx.Response, binding: Binding) -> None:
        """Fail where the status, the kind of content or the body is not a documented one."""
        response = self._find_response(binding, answer.status_code)
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if "content" not in response:
            assert not answer.content, f"{answer.url}: {answer.status_code} has no body by the document"
            return
        assert kind in response["content"], f"{answer.url}: {kind} is not documented"
        if kind != "application/json":
            return
        validator = self._compile(binding, answer.status_code, response)
        faults = [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(answer.json())]
        assert not faults, f"{answer.url}: {faults}"

    def _find_response(self, binding: Binding, status: int) -> Json:
        responses: Json = self.document["paths"][binding.path][binding.method.lower()]["responses"]
        assert str(status) in responses, (
            f"{binding.method} {binding.path}: {status} is not documented; {sorted(responses)} are"
        )
        response: Json = responses[str(status)]
        if "$ref" in response:
            response = self.document["components"]["responses"][response["$ref"].rpartition("/")[2]]
        return response

    def _compile(self, binding: Binding, status: int, response: Json) -> Any:
        key = (binding.path, binding.method, status)
        if key not in self._validators:
            schema = response["content"]["application/json"]["schema"]
            whole = schema | {"components": self.document["components"]}
            self._validators[key] = jsonschema_rs.validator_for(whole, validate_formats=True)
        return self._validators[key]
