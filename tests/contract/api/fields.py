"""Requests that are wrong in one field."""

from __future__ import annotations

from typing import Any

import httpx
from google.protobuf.descriptor import FieldDescriptor

from gateway.surface import Binding, load_surface
from tests.contract.api.answers import CALLERS, fill_path, list_violations
from tests.contract.api.callers import Json
from tests.contract.api.table import Case, load_cases
from tests.contract.api.world import World

SURFACE = load_surface()


# Where many things are counted; a refused request changes none of them.
COUNTED = ("/api/apps?per_page=1", "/api/auth/users?per_page=1", "/api/catalog/sources")


SET_BY_PEOPLE = ("id", "name", "host", "port", "user", "ssh_port", "verify_ssl", "is_active", "is_default")


KEPT = ("/api/core/settings/resources", "/api/core/settings/network")


def list_fields(case: Case, binding: Binding, place: str) -> list[FieldDescriptor]:
    """The fields that a request carries in its path, its query or its body."""
    fields = list(SURFACE.get_message(case.method.input).fields)
    if place == "path":
        return [field for field in fields if field.name in binding.variables]
    if bool(binding.body) != (place == "body"):
        return []
    return [field for field in fields if field.name not in binding.variables]


def describe(world: World) -> Json:
    """What a refused request must leave as it is."""
    app = world.settle(world.resolve("$app.id", {}))
    found = {path: world.ask(path)["total"] for path in COUNTED}
    found |= {path: {**world.ask(path), "updated_at": None} for path in KEPT}
    hosts = world.ask("/api/proxmox/hosts")
    found["hosts"] = [{name: host[name] for name in SET_BY_PEOPLE} for host in hosts]
    found["app"] = {key: app[key] for key in ("name", "hostname", "status", "config", "environment", "node")}
    found["backups"] = world.ask(f"/api/apps/{app['id']}/backups")["total"]
    found["tokens"] = world.ask("/api/auth/tokens", caller="alice")["total"]
    user = world.ask("/api/auth/user", caller="alice")
    return found | {"user": {key: each for key, each in user.items() if key != "last_login"}}


def check_named(answer: httpx.Response, field: str, why: str) -> None:
    """The answer is a 400 whose violations name the field, or a place within it."""
    assert answer.status_code == 400, f"{field} {why}: {answer.status_code} {answer.text[:400]}"
    named = list_violations(answer.json())
    within = [each for each in named if each == field or each.startswith((f"{field}.", f"{field}["))]
    assert within, f"{field} {why}: {answer.text[:400]}"


class Asker:
    """Sends the good request of a case with one thing changed."""

    def __init__(self, world: World, case: Case, binding: Binding) -> None:
        made: Json = {}
        source = case.good or case.refusals[0] if case.refusals or case.good else None
        self._world, self._binding = world, binding
        self._path = world.resolve({**(source.path if source else {})}, made)
        self._query = world.resolve(source.query if source else {}, made)
        self.body = world.resolve((source.body if source else None) or {}, made)
        caller = source.caller if source and source.caller else CALLERS[case.access]
        self._caller = world.resolve(caller, made)

    def send(
        self, *, path: Json | None = None, query: Any = None, body: Any = None, extra: Json | None = None
    ) -> httpx.Response:
        """`extra` goes into the query, beside what belongs there."""
        how: Json = {}
        if self._binding.body:
            how = {"json": self.body if body is None else body, "params": extra}
        else:
            how["params"] = (self._query | (extra or {})) if query is None else query
        target = fill_path(self._binding, self._path | (path or {}))
        return self._world.send(self._binding.method, target, caller=self._caller, **how)

    def without(self, name: str) -> Json:
        return {key: value for key, value in self.body.items() if key != name}

    def query_with(self, name: str, *values: str) -> list[tuple[str, str]]:
        kept = [(key, str(value)) for key, value in self._query.items() if key != name]
        return kept + [(name, value) for value in values]


ALL = [(case, binding) for case in load_cases().values() for binding in case.method.bindings]


def name_request(value: Case | Binding) -> str:
    return value.name if isinstance(value, Case) else f"{value.method} {value.path}"
