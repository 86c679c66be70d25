"""What no request of an RPC knows is refused by name, for every RPC and every way to it; no service is reached."""

from __future__ import annotations

import json
import re
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.descriptor import FieldDescriptor

from gateway.comments import collect_comments
from gateway.schemas import get_rules, is_needed_number
from gateway.surface import Binding, Method, list_parameters, load_surface
from tests.contract.gateway.conftest import API_TOKEN
from tests.contract.gateway.envoy import Envoy
from tests.contract.gateway.refusals import check_error, list_violations
from tests.contract.gateway.requests import answer_event, fill_path
from tests.contract.gateway.stub import Backend, get_type

SURFACE = load_surface()
COMMENTS = collect_comments(SURFACE.image)
ALL = [(method, binding) for method in SURFACE.routed for binding in method.bindings]


def name_binding(value: Any) -> str:
    return f"{value.method} {value.path}" if isinstance(value, Binding) else ""


def each_binding(*, body: bool | None = None) -> pytest.MarkDecorator:
    chosen = [each for each in ALL if body is None or bool(each[1].body) == body]
    return pytest.mark.parametrize(("method", "binding"), chosen, ids=name_binding)


def list_body_fields(method: Method, binding: Binding) -> list[FieldDescriptor]:
    fields = SURFACE.get_message(method.input).fields
    return [field for field in fields if field.name not in binding.variables]


def misspell(name: str) -> str:
    return f"{name[:2]}x{name[2:]}"


class Sender:
    """Sends requests of one binding and looks at what reached its service."""

    def __init__(self, client: httpx.Client, backend: Backend, method: Method, binding: Binding) -> None:
        if method.is_endless:
            backend.answers[method.path] = answer_event("text/event-stream")
        self._client, self._backend, self._method, self._binding = client, backend, method, binding
        self._path, _ = fill_path(method, binding)

    def send(self, query: str = "", body: Any = None) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        how: dict[str, Any] = {}
        if self._binding.body:
            how = {"content": content, "headers": {"content-type": "application/json"}}
        return self._client.request(self._binding.method, self._path + query, **how)

    def refuse(self, name: str, *words: str, query: str = "", body: Any = None) -> None:
        """Send what must be refused: 400 that names `name`, and the service has not seen it."""
        before = len(self._backend.calls)
        error = check_error(self.send(query, body), 400, "INVALID_ARGUMENT")
        assert name in list_violations(error), error
        assert name in error["error"], error
        for word in words:
            assert word in error["error"], error
        assert [each.path for each in self._backend.calls[before:] if each.path == self._method.path] == []

    def read(self, query: str = "", body: Any = None) -> Any:
        """Send what must be accepted, and return the request that reached the service."""
        answer = self.send(query, body)
        assert answer.status_code == self._method.success, answer.text
        return self._backend.calls[-1].request


@pytest.fixture
def sender(client: httpx.Client, backend: Backend, method: Method, binding: Binding) -> Sender:
    return Sender(client, backend, method, binding)


@each_binding(body=True)
def test_unknown_fields_of_a_body(sender: Sender, method: Method, binding: Binding) -> None:
    sender.refuse("nonsense_field", body={"nonsense_field": 1})
    sender.refuse("nonsense_field", body={"nonsense_field": None})
    for field in list_body_fields(method, binding):
        wrong = misspell(field.name)
        sender.refuse(wrong, f"did you mean {field.name}?", body={wrong: 1})
    sender.refuse("toString", body={"toString": 1, "__proto__": {}})


@each_binding(body=True)
def test_unknown_fields_of_an_object_in_a_body(sender: Sender, method: Method, binding: Binding) -> None:
    for field in list_body_fields(method, binding):
        nested = field.message_type
        if nested and not nested.GetOptions().map_entry and nested.full_name.startswith("proximity."):
            value: Any = {"nonsense": 1}
            place = f"{field.name}[0]" if field.is_repeated else field.name
            sender.refuse(f"{place}.nonsense", body={field.name: [value] if field.is_repeated else value})


@each_binding(body=True)
def test_names_are_given_once_and_in_json(sender: Sender, method: Method, binding: Binding) -> None:
    for field in list_body_fields(method, binding):
        content = f'{{"{field.name}": null, "{field.name}": null}}'.encode()
        sender.refuse(field.name, "more than once", body=content)
        camel = "".join(part.title() if at else part for at, part in enumerate(field.name.split("_")))
        if camel != field.name:
            sender.refuse(camel, field.name, body={camel: None})
    for content in (b"{'a': 1}", b'{"a": 1,}', b"{} {}", b"\xef\xbb\xbf{}", "{}".encode("utf-16")):
        check_error(sender.send(body=content), 400, "INVALID_ARGUMENT")


@each_binding()
def test_unknown_parameters_of_a_query(sender: Sender, method: Method, binding: Binding) -> None:
    sender.refuse("nonsense", query="?nonsense=1")
    sender.refuse("nonsense", query="?nonsense")
    sender.refuse("nonsense", query="?_=1&%6Eonsense=1")
    for field in list_parameters(SURFACE, method, binding):
        wrong = misspell(field.name)
        sender.refuse(wrong, f"did you mean {field.name}?", query=f"?{wrong}=1")
        if not field.is_repeated:
            value = "true" if field.type == field.TYPE_BOOL else "1"
            sender.refuse(field.name, "more than once", query=f"?{field.name}={value}&{field.name}={value}")
    sender.read("?_=1700000000&_cache=")


@each_binding()
def test_the_query_never_reaches_the_path(sender: Sender, method: Method, binding: Binding) -> None:
    for variable in binding.variables:
        for query in (f"{variable}=other", f"%{ord(variable[0]):x}{variable[1:]}=other", variable):
            sender.refuse(variable, "belongs in the path", query=f"?{query}")


@each_binding(body=True)
def test_the_query_never_reaches_the_body(sender: Sender, method: Method, binding: Binding) -> None:
    for field in list_body_fields(method, binding):
        sender.refuse(field.name, "do not come from the query", query=f"?{field.name}=1")
    for hidden in ("json_body.data", "json_body.content_type", "json_body"):
        sender.refuse(hidden, query=f"?{hidden}=e30=")


@each_binding(body=True)
def test_null_is_refused_or_documented(sender: Sender, method: Method, binding: Binding) -> None:
    """Left out, removed or refused, as the rules and the comment of the field say."""
    left_out = sender.read(body={})
    for field in list_body_fields(method, binding):
        rules, comment = get_rules(field), COMMENTS.get(field.full_name, "")
        if rules.null_refused:
            sender.refuse(field.name, rules.null_refused, body={field.name: None})
            assert re.search("null .*is refused", comment), field.full_name
            continue
        request = sender.read(body={field.name: None})
        if rules.null_clears:
            assert request.HasField(field.name), field.full_name
            assert not getattr(request, field.name) or field.message_type, field.full_name
            assert "null" in comment, field.full_name
        else:
            assert request == left_out, field.full_name


def test_a_part_of_a_name_suggests_it(client: httpx.Client) -> None:
    answer = client.post("/api/apps/web-1/backups", json={"type": "stop"})
    assert "type is not known here; did you mean backup_type?" in answer.json()["error"]
    assert "did you mean host_id?" in client.get("/api/proxmox/nodes?host=1").json()["error"]
    known = client.patch("/api/auth/users/7", json={"password": "x"}).json()["error"]
    assert known == "password is not known here; known are is_active, is_staff, quota"


def test_null_in_an_environment_removes_a_value(client: httpx.Client, backend: Backend) -> None:
    body = {"environment": {"A": None, "B": "", "C": None}, "unset": ["D"]}
    assert client.patch("/api/apps/web-1", json=body).status_code == 200
    request = backend.calls[-1].request
    assert dict(request.environment) == {"B": ""}
    assert list(request.unset) == ["A", "C", "D"]
    refused = client.post("/api/apps", json={"environment": {"A": None}})
    assert list_violations(check_error(refused, 400, "INVALID_ARGUMENT")) == ["environment.A"]


def test_full_writes_say_what_null_means() -> None:
    """Where a field that is left out stays as it is, null is something else."""
    updates = [each for each in ALL if each[1].body and each[0].name.startswith("Update")]
    for method, binding in updates:
        for field in list_body_fields(method, binding):
            rules = get_rules(field)
            assert rules.required or rules.null_clears or rules.null_refused, field.full_name


@each_binding(body=True)
def test_path_and_body_agree(sender: Sender, method: Method, binding: Binding) -> None:
    _, values = fill_path(method, binding)
    for name, value in values.items():
        assert getattr(sender.read(body={name: value}), name) == value
        other = 7 if isinstance(value, int) else "other-1"
        sender.refuse(name, "differs from the one in the path", body={name: other})


@each_binding(body=False)
def test_no_body_where_none_belongs(client: httpx.Client, method: Method, binding: Binding) -> None:
    path, _ = fill_path(method, binding)
    answer = client.request(binding.method, path, json={"a": 1})
    assert "takes no body" in check_error(answer, 400, "INVALID_ARGUMENT")["error"]


@each_binding()
def test_numbers_name_the_bounds_of_their_field(
    sender: Sender, client: httpx.Client, method: Method, binding: Binding
) -> None:
    for field in SURFACE.get_message(method.input).fields:
        if field.type != field.TYPE_INT32 or field.is_repeated:
            continue
        rules = get_rules(field)
        bound = f" from {rules.min:.0f} to {rules.max:.0f}" if rules.HasField("max") else ""
        for wrong in ("abc", 1.5, 2**31, "1e3", True):
            if field.name in binding.variables:
                # The others stay right: a fault of two fields is that of either.
                values = {**fill_path(method, binding)[1], field.name: wrong}
                path = binding.path.format_map(values)
                answer = client.request(binding.method, path, json={} if binding.body else None)
            elif binding.body:
                answer = sender.send(body={field.name: wrong})
            else:
                answer = sender.send(query=f"?{field.name}={wrong}")
            error = check_error(answer, 400, "INVALID_ARGUMENT")
            assert error["error"].startswith(f"{field.name} must be a whole number{bound}"), error
            assert "2147483647" not in error["error"]


@each_binding()
def test_times_in_the_query_name_their_form(sender: Sender, method: Method, binding: Binding) -> None:
    for field in list_parameters(SURFACE, method, binding):
        if field.message_type is None or field.message_type.full_name != "google.protobuf.Timestamp":
            continue
        for wrong in ("yesterday", "2026-11-01", "2026-13-01T00:00:00Z", "1793491200"):
            error = check_error(sender.send(query=f"?{field.name}={wrong}"), 400, "INVALID_ARGUMENT")
            assert error["error"] == f"{field.name} must be a time like 2026-01-31T12:00:00Z"


def test_missing_numbers_are_required() -> None:
    numbers = [
        field.name
        for method, binding in ALL
        for field in list_body_fields(method, binding)
        if binding.body and is_needed_number(field, get_rules(field))
    ]
    assert {"vmid", "host_id"} <= set(numbers)


FORMS = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "text/plain")


@each_binding(body=True)
def test_an_empty_form_is_no_body(client: httpx.Client, method: Method, binding: Binding) -> None:
    path, _ = fill_path(method, binding)
    for kind in FORMS:
        answer = client.request(binding.method, path, headers={"content-type": kind, "content-length": "0"})
        check_error(answer, 415, "INVALID_ARGUMENT")


def test_fields_of_the_next_release_are_ignored_in_grpc(envoy: Envoy, backend: Backend) -> None:
    """Version N runs beside N-1: what one side does not know yet is no mistake of the other."""
    path = "/proximity.apps.v1.AppsService/ListApps"
    later = get_type("proximity.apps.v1.ListAppsRequest")(page=2).SerializeToString() + b"\xfa\x3f\x01x"
    with grpc.insecure_channel(f"127.0.0.1:{envoy.port}") as channel:
        call = channel.unary_unary(path, response_deserializer=None, request_serializer=None)
        call(later, metadata=(("authorization", f"Bearer {API_TOKEN}"),), timeout=10)
    assert backend.calls[-1].request.page == 2


def test_grpc_clients_do_not_reach_what_takes_json(envoy: Envoy, backend: Backend) -> None:
    path = "/proximity.apps.v1.AppsService/DeployAppFromJson"
    forged = (("authorization", f"Bearer {API_TOKEN}"), ("x-envoy-original-path", "/api/apps"))
    with grpc.insecure_channel(f"127.0.0.1:{envoy.port}") as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(path, None, None)(b"", metadata=forged, timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert [each.path for each in backend.calls if each.path.endswith("DeployApp")] == []
