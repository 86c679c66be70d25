"""Errors have one shape, whoever makes them, and say nothing that is not the caller's business."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import grpc
import httpx
import pytest
from google.protobuf.any_pb2 import Any as Packed
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from gateway.surface import Method, load_surface
from tests.contract.gateway.refusals import HIDDEN, check_error, list_violations, refuse, refuse_stream
from tests.contract.gateway.requests import fill_path
from tests.contract.gateway.stub import Backend, Context, get_type

LIST_APPS = "/proximity.apps.v1.AppsService/ListApps"
DISCOVER = "/proximity.apps.v1.AppsService/DiscoverContainers"
STATUSES = {
    "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400, "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403, "NOT_FOUND": 404, "ALREADY_EXISTS": 409, "ABORTED": 409, "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499, "UNKNOWN": 500, "INTERNAL": 500, "DATA_LOSS": 500, "UNIMPLEMENTED": 501, "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}  # fmt: skip


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
@pytest.mark.parametrize("kind", ["object", "array", "array that broke off"])
def test_each_status_of_a_service(
    client: httpx.Client, backend: Backend, code: str, status: int, kind: str
) -> None:
    backend.answers[LIST_APPS] = refuse(code)
    backend.answers[DISCOVER] = refuse_stream(refuse(code), items=2 if kind.endswith("off") else 0)
    body = check_error(client.get("/api/apps" if kind == "object" else "/api/apps/discover"), status, code)
    assert body["error"] == ("Internal error" if code in HIDDEN else 'no "such"\napp ü')


def test_details_reach_the_client(client: httpx.Client, backend: Backend) -> None:
    async def answer(_request: Any, context: Context) -> None:
        violation = error_details_pb2.BadRequest.FieldViolation(field="hostname", description="too short")
        packed = Packed()
        packed.Pack(error_details_pb2.BadRequest(field_violations=[violation]))
        status = status_pb2.Status(code=3, message="hostname: too short", details=[packed])
        await context.abort_with_status(rpc_status.to_status(status))

    backend.answers[LIST_APPS] = answer
    backend.answers[DISCOVER] = refuse_stream(answer)
    for path in ("/api/apps", "/api/apps/discover"):
        body = check_error(client.get(path), 400, "INVALID_ARGUMENT")
        assert body["error"] == "hostname: too short"
        assert body["details"][0]["@type"] == "type.googleapis.com/google.rpc.BadRequest"
        assert list_violations(body) == ["hostname"]


def test_an_exception_says_nothing(client: httpx.Client, backend: Backend) -> None:
    async def answer(_request: Any, _context: Context) -> None:
        raise RuntimeError("password is hunter2")

    backend.answers[LIST_APPS] = answer
    body = check_error(client.get("/api/apps"), 500, "UNKNOWN")
    assert body == {"error": "Internal error", "code": "UNKNOWN", "details": []}


@pytest.mark.parametrize("initial", [True, False], ids=["initial metadata", "trailing metadata"])
@pytest.mark.parametrize("path", ["/api/apps", "/api/apps/discover"])
def test_headers_travel_with_an_error(
    client: httpx.Client, backend: Backend, path: str, initial: bool
) -> None:
    async def answer(_request: Any, context: Context) -> None:
        headers = (("retry-after", "7"), ("set-cookie", "csrftoken=a"), ("set-cookie", "other=b"))
        if initial:
            await context.send_initial_metadata(headers)
        await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "slow down", () if initial else headers)

    backend.answers[LIST_APPS] = answer
    backend.answers[DISCOVER] = refuse_stream(answer)
    response = client.get(path)
    check_error(response, 429, "RESOURCE_EXHAUSTED")
    assert response.headers["retry-after"] == "7"
    assert response.headers.get_list("set-cookie") == ["csrftoken=a", "other=b"]


def test_unknown_paths_need_no_token(anonymous: httpx.Client) -> None:
    for path in ("/api/nope", "/nope.x", "/api", "/api/apps/x/y/z/w"):
        check_error(anonymous.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize("path", sorted({b.path for m in load_surface().routed for b in m.bindings}))
def test_wrong_methods_are_told_the_right_ones(anonymous: httpx.Client, path: str) -> None:
    allowed = {b.method for m in load_surface().routed for b in m.bindings if b.path == path}
    concrete = path.replace("{", "").replace("}", "")
    response = anonymous.request("PROPFIND", concrete)
    check_error(response, 405, "UNIMPLEMENTED")
    assert allowed <= set(response.headers["allow"].split(", "))


def test_allow_names_the_methods_of_the_path(client: httpx.Client) -> None:
    response = client.delete("/api/apps")
    check_error(response, 405, "UNIMPLEMENTED")
    assert response.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", None]
)
def test_other_content_types_are_refused(client: httpx.Client, backend: Backend, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    check_error(client.post("/api/apps", content=b"{}", headers=headers), 415, "INVALID_ARGUMENT")
    assert not [call for call in backend.calls if call.path.endswith("DeployApp")]


def test_compressed_bodies_are_refused(client: httpx.Client) -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    check_error(
        client.post("/api/apps", content=gzip.compress(b"{}"), headers=headers), 415, "INVALID_ARGUMENT"
    )


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_json_is_taken(client: httpx.Client, kind: str) -> None:
    assert client.post("/api/apps", content=b"{}", headers={"content-type": kind}).status_code == 201


def test_a_write_may_come_without_body(client: httpx.Client) -> None:
    assert client.post("/api/apps/reconcile").status_code == 200


MALFORMED = [
    (b'{"a":', "not valid JSON"),
    (b'{"password": hunter2}', "not valid JSON"),
    (b"{hunter2}", "not valid JSON"),
    (b"hunter2", "not valid JSON"),
    (b" ", "not valid JSON"),
    (b"\t\r\n", "not valid JSON"),
    (b"[1]", "must be a JSON object"),
    (b'"hunter2"', "must be a JSON object"),
    (b'{"hostname":"hunter2\xff"}', "UTF-8"),
    (b'{"config":' + b"[" * 5000 + b"]" * 5000 + b"}", "nested too deeply"),
    (b'{"hostname":["hunter2"]}', "hostname must be a string"),
    (b'{"":"hunter2"}', '"" is not known here'),
    (b'{"hostname":"hunter2\\ud800"}', "hostname is not valid Unicode"),
    (b'{"hunter\\ud800":1}', "is not known here"),
    (b'{"a\\u0000\\u001bb":1}', "is not known here"),
    (b'{"' + b"a" * 100_000 + b'":1}', "is not known here"),
    (b'{"host_id":' + b"1" * 5000 + b"}", "too many digits"),
    (b'{"config":{"memory":1e999}}', "config"),
    (b'{"config":{"a":' + b'{"a":' * 40 + b"1" + b"}" * 41 + b"}", "nested too deeply"),
    (b'{"host_id":NaN}', "not valid JSON"),
]


@pytest.mark.parametrize(("content", "words"), MALFORMED, ids=range(len(MALFORMED)))
def test_malformed_bodies_are_explained(client: httpx.Client, content: bytes, words: str) -> None:
    response = client.post("/api/apps", content=content, headers={"content-type": "application/json"})
    body = check_error(response, 400, "INVALID_ARGUMENT")
    assert words in body["error"]
    assert "hunter2" not in response.text


WRONG = [
    ("POST", "/api/apps", {"host_id": "hunter2"}, "host_id", "whole number"),
    ("POST", "/api/apps", {"host_id": 99999999999}, "host_id", "whole number"),
    ("POST", "/api/apps", {"host_id": 1.5}, "host_id", "whole number"),
    ("POST", "/api/apps", {"hostname": 5}, "hostname", "a string"),
    ("POST", "/api/apps", {"config": 5}, "config", "an object"),
    ("POST", "/api/apps", {"environment": {"A": 5}}, "environment.A", "must be a string"),
    ("POST", "/api/apps", {"environment": ["hunter2"]}, "environment", "an object"),
    ("POST", "/api/auth/tokens", {"scopes": {"hunter2": 1}}, "scopes", "must be a list"),
    ("POST", "/api/auth/tokens", {"expires_at": "hunter2"}, "expires_at", "a time like"),
    ("PATCH", "/api/auth/users/7", {"is_staff": "hunter2"}, "is_staff", "true or false"),
    ("PATCH", "/api/auth/users/7", {"id": 8}, "id", "differs"),
    ("PATCH", "/api/auth/users/hunter2", {}, "id", "whole number"),
    ("GET", "/api/apps?page=hunter2", None, "page", "whole number"),
    ("GET", "/api/apps?page=99999999999", None, "page", "whole number"),
    ("GET", "/api/apps?page=", None, "page", "whole number"),
    ("GET", "/api/apps?status=a&status=b", None, "status", "more than once"),
]


@pytest.mark.parametrize(("method", "path", "body", "field", "words"), WRONG)
def test_wrong_values_name_their_field(
    client: httpx.Client, method: str, path: str, body: Any, field: str, words: str
) -> None:
    response = client.request(method, path, json=body)
    error = check_error(response, 400, "INVALID_ARGUMENT")
    assert error["error"].startswith(field)
    assert words in error["error"]
    assert list_violations(error) == [field]
    assert "hunter2" not in response.text


@pytest.mark.parametrize("text", ["%FF", "%00", "%C3", "%E2%C3%A9%82%AC", "%ED%A0%80", "%C0%AF"])
@pytest.mark.parametrize("path", ["/api/catalog/category/{}", "/api/apps?search={}"])
def test_paths_are_text(client: httpx.Client, backend: Backend, path: str, text: str) -> None:
    check_error(client.get(path.format(text)), 400, "INVALID_ARGUMENT")
    assert not [call for call in backend.calls if "List" in call.path]


@pytest.mark.parametrize("text", ["ü", "€", "😀", "a b", "%", "日本語"])
def test_any_language_reaches_its_field(client: httpx.Client, backend: Backend, text: str) -> None:
    assert client.get("/api/apps", params={"search": text}).status_code == 200
    assert [call for call in backend.calls if "ListApps" in call.path][-1].request.search == text
    assert client.get(f"/api/catalog/category/{quote(text)}").status_code == 200
    assert [call for call in backend.calls if "Category" in call.path][-1].request.category == text


@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_have_a_limit(client: httpx.Client, backend: Backend, chunked: bool) -> None:
    def send(size: int) -> httpx.Response:
        content = json.dumps({"hostname": "a" * size}).encode()

        def pieces() -> Iterator[bytes]:
            for start in range(0, len(content), 60_000):
                yield content[start : start + 60_000]

        body = pieces() if chunked else content
        return client.post("/api/apps", content=body, headers={"content-type": "application/json"})

    assert send(1_900_000).status_code == 201
    backend.reset()
    check_error(send(2_200_000), 413, "INVALID_ARGUMENT")
    assert not [call for call in backend.calls if call.path.endswith("DeployApp")]


def test_headers_have_a_limit(client: httpx.Client) -> None:
    assert client.get("/api/apps", headers={"x-large": "a" * 12_000}).status_code == 200
    check_error(client.get("/api/apps", headers={"x-large": "a" * 20_000}), 431, "INVALID_ARGUMENT")


def test_health_answers_503_with_the_whole_picture(client: httpx.Client, backend: Backend) -> None:
    async def answer(_request: Any, context: Context) -> Any:
        await context.send_initial_metadata((("x-http-code", "503"),))
        return get_type("proximity.inventory.v1.Health")(status="unhealthy")

    backend.answers["/proximity.inventory.v1.SystemService/GetHealth"] = answer
    response = client.get("/api/health")
    assert response.status_code == 503
    assert response.json()["status"] == "unhealthy"


@pytest.mark.parametrize(
    "method", [each for each in load_surface().routed if each.bindings], ids=lambda m: m.name
)
def test_an_internal_error_carries_the_trace_id_of_the_log(
    client: httpx.Client, backend: Backend, method: Method
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"

    async def answer(_request: Any, context: Context) -> None:
        info = error_details_pb2.ErrorInfo(
            reason="INTERNAL", domain="proximity", metadata={"trace_id": trace}
        )
        packed = Packed()
        packed.Pack(info)
        message = f"internal error; the log has more under {trace}"
        status = status_pb2.Status(code=13, message=message, details=[packed])
        await context.abort_with_status(rpc_status.to_status(status))

    backend.answers[method.path] = refuse_stream(answer) if method.server_streaming else answer
    for binding in method.bindings:
        path, _ = fill_path(method, binding)
        response = client.request(binding.method, path, json={} if binding.body else None)
        body = check_error(response, 500, "INTERNAL")
        assert body["error"] == "Internal error"
        assert [detail["metadata"] for detail in body["details"]] == [{"trace_id": trace}]
