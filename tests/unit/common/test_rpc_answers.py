"""Answers of a server: repeated, printed as JSON, and refusals as a google.rpc status."""

from __future__ import annotations

import json
from dataclasses import replace

import grpc
import pytest
from google.api import httpbody_pb2
from proximity.catalog.v1 import catalog_service_pb2 as pb
from proximity.catalog.v1 import catalog_service_pb2_grpc as stubs

from services.common.core.errors import (
    Violation,
    is_waiting,
)
from services.common.identity.tokens import (
    ANONYMOUS,
    Caller,
    User,
)
from services.common.rpc.interceptors.idempotency import name_principal
from services.common.rpc.server import add_service, create_server
from services.common.rpc.server_context import Peers
from services.common.rpc.status import parse_error
from tests.fakes.rpc_stack import (
    ITEM,
    SOURCE,
    Stack,
    bearer,
    code_of,
    stack,
    token,
)

__all__ = ["stack"]


async def test_a_fault_of_ours_says_nothing_about_itself(stack: Stack) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stack.api.GetItem(pb.GetItemRequest(app_id="boom"), metadata=bearer(token()))
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert "hunter2" not in str(caught.value)


async def test_a_refusal_that_would_be_too_long_for_headers_says_how_it_begins(stack: Stack) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stack.api.GetItem(pb.GetItemRequest(app_id="everything"), metadata=bearer(token()))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    found = parse_error(caught.value, service="catalog")
    assert found.message.startswith("ÄÄÄ")
    assert found.violations[0] == Violation("config.key_0", "ü" * 200)


async def test_a_replica_of_an_earlier_release_is_waited_for(stack: Stack) -> None:
    unknown = stack.channel.unary_unary("/proximity.catalog.v1.CatalogService/MadeTomorrow", bytes, bytes)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await unknown(b"", metadata=bearer(token()))
    found = parse_error(caught.value, service="catalog")
    assert is_waiting(found)
    assert found.message == "catalog is of an earlier release that does not know this call"


async def test_bad_fields_are_named(stack: Stack) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stack.api.ListItems(pb.ListItemsRequest(per_page=1000), metadata=bearer(token()))
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "per_page: 1000 is more than 100" in str(caught.value.details())


def test_a_key_belongs_to_the_user_and_to_what_the_credentials_may_do() -> None:
    """A caller with fewer rights, or with a sooner expiry, gets no stored answer of a caller with more rights."""
    alice, staff = User(7, "alice", is_staff=False), User(7, "alice", is_staff=True)
    write = User(7, "alice", is_staff=True, scopes=("write",))
    callers = [
        Caller(user=alice, session="s"),
        Caller(user=staff, session="s"),
        Caller(user=staff, token_id="api-1"),
        Caller(user=staff, token_id="api-2"),
        Caller(user=write, token_id="api-1"),
        Caller(user=replace(write, is_staff=False), token_id="api-1"),
        Caller(user=User(8, "bob", is_staff=False), session="s"),
        ANONYMOUS,
    ]
    names = [name_principal(caller, "192.0.2.1") for caller in callers]
    assert len(set(names)) == len(callers)
    refreshed = Caller(user=alice, session="s", token_id="another", issued_at=9.0)
    assert name_principal(refreshed, "192.0.2.9") == names[0]


async def test_the_same_key_gives_the_same_answer(stack: Stack) -> None:
    metadata = bearer(token(staff=True), ("idempotency-key", "one"))
    first = await stack.api.CreateSource(SOURCE, metadata=metadata)
    assert await stack.api.CreateSource(SOURCE, metadata=metadata) == first
    assert len(stack.handlers.created) == 1
    other = pb.CreateSourceRequest(name="other", location="/srv/acme", format="native")
    assert await code_of(stack.api.CreateSource(other, metadata=metadata)) == "ALREADY_EXISTS"
    fresh = bearer(token(staff=True), ("idempotency-key", "two"))
    await stack.api.CreateSource(other, metadata=fresh)
    assert len(stack.handlers.created) == 2


async def test_success_says_its_http_status(stack: Stack) -> None:
    call = stack.api.CreateSource(SOURCE, metadata=bearer(token(staff=True)))
    headers = dict(await call.initial_metadata())
    assert headers["x-http-code"] == "201"
    assert headers["location"] == "/api/catalog/sources/1"


@pytest.mark.parametrize("gateways", [("127.0.0.0/8",), ()], ids=["gateway", "unknown gateway"])
async def test_a_printed_answer_is_json_for_rest_and_a_message_for_others(
    stack: Stack, gateways: tuple[str, ...]
) -> None:
    assert stack.around is not None
    server = create_server()
    around = replace(stack.around, peers=Peers(gateways=gateways))
    add_service(
        server, pb.DESCRIPTOR.services_by_name["CatalogService"], handlers=stack.handlers, context=around
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    printed = ("x-proximity-printed", "1")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        api = stubs.CatalogServiceStub(channel)
        assert (await api.GetItem(ITEM, metadata=bearer(token(), printed))).name == "alice"
        ask = channel.unary_unary(
            "/proximity.catalog.v1.CatalogService/GetItem",
            request_serializer=pb.GetItemRequest.SerializeToString,
            response_deserializer=httpbody_pb2.HttpBody.FromString,
        )
        path = ("x-envoy-original-path", "/api/catalog/nginx")
        body = await ask(ITEM, metadata=bearer(token(), printed, path))
    await server.stop(None)
    assert body.content_type == "application/json"
    assert json.loads(body.data)["name"] == "alice"
