"""A server admits whom the proto names, and answers every refusal as a google.rpc status."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import grpc
import jwt
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from google.api import httpbody_pb2
from proximity.catalog.v1 import catalog_service_pb2 as pb
from proximity.catalog.v1 import catalog_service_pb2_grpc as stubs
from proximity.catalog.v1 import item_pb2

from services.common.core.errors import (
    DomainError,
    DuplicateError,
    InvalidError,
    NotFoundError,
    Violation,
    is_waiting,
)
from services.common.db.database import Database, create_engine
from services.common.identity.keys import Sealer, ServiceSigner, make_service_keys, read_service_keys
from services.common.identity.tokens import (
    ANONYMOUS,
    Caller,
    CredentialsInvalidError,
    Revocations,
    TokenVerifier,
    User,
)
from services.common.rpc.call import Call, parse_cookies
from services.common.rpc.client import Clients
from services.common.rpc.interceptors import idempotency
from services.common.rpc.interceptors.authorization import Guard
from services.common.rpc.interceptors.idempotency import name_principal
from services.common.rpc.server import add_service, create_server
from services.common.rpc.server_context import Peers, ServerContext
from services.common.rpc.status import parse_error

KEY = Ed25519PrivateKey.generate()
METADATA = sa.MetaData()
IDEMPOTENCY = idempotency.define_table(METADATA)


class Handlers:
    """Answers enough of the catalog to look at what stands around it."""

    def __init__(self) -> None:
        self.created: list[str] = []

    def __getattr__(self, name: str) -> object:
        async def refuse(request: object, call: Call) -> object:
            raise NotFoundError(f"{name} is not here")

        return refuse

    async def get_item(self, request: pb.GetItemRequest, call: Call) -> item_pb2.Item:
        if request.app_id == "boom":
            raise RuntimeError("the password is hunter2")
        if request.app_id == "everything":
            faults = [Violation(f"config.key_{number}", "ü" * 200) for number in range(2000)]
            raise InvalidError("Ä" * 20_000, violations=faults)
        return item_pb2.Item(id=request.app_id, name=call.user.username)

    async def create_source(self, request: pb.CreateSourceRequest, call: Call) -> item_pb2.Source:
        if call.request_id in self.created:
            raise DuplicateError("made twice")
        self.created.append(call.request_id)
        call.add_location("/api/catalog/sources/1")
        return item_pb2.Source(id=len(self.created), name=request.name)

    async def render_item(self, request: pb.RenderItemRequest, call: Call) -> pb.Rendering:
        return pb.Rendering(
            name=call.caller.service, catalog_id=call.user.username if call.caller.user else ""
        )


class Stack:
    """A server, and what its tests need to speak to it."""

    def __init__(self, address: str, keys: Path, revocations: Revocations, handlers: Handlers) -> None:
        self.channel = grpc.aio.insecure_channel(address)
        self.api = stubs.CatalogServiceStub(self.channel)
        self.internal = stubs.CatalogInternalServiceStub(self.channel)
        self.keys = keys
        self.revocations = revocations
        self.handlers = handlers
        self.address = address
        self.around: ServerContext | None = None


def token(*, key: Ed25519PrivateKey = KEY, algorithm: str = "EdDSA", **changes: object) -> str:
    claims = {
        "iss": "proximity",
        "aud": "proximity",
        "sub": "7",
        "name": "alice",
        "staff": False,
        "sid": "s",
        "jti": "j",
        "typ": "access",
        "iat": int(time.time()) - 1,
        "exp": int(time.time()) + 60,
        **changes,
    }
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "k1"})


def bearer(value: str, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {value}"), *more)


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    make_service_keys(tmp_path)
    _, publics = read_service_keys(tmp_path, "catalog")
    revocations = Revocations()

    async def find_key(kid: str) -> Ed25519PublicKey | None:
        return KEY.public_key() if kid == "k1" else None

    async def authenticate(value: str) -> Caller:
        if value != "prx_read":
            raise CredentialsInvalidError("the API token is not valid")
        return Caller(user=User(7, "alice", is_staff=True, scopes=("read",)), expires_at=time.time() + 60)

    engine = create_engine(f"sqlite:///{tmp_path}/rpc.sqlite3", service="catalog")
    METADATA.create_all(engine)
    db = Database(engine)
    guard = Guard(TokenVerifier("catalog", publics, find_key, revocations, authenticate))
    around = ServerContext(
        guard=guard, idempotency=idempotency.IdempotencyStore(db, IDEMPOTENCY, sealer=Sealer("x"))
    )
    server = create_server()
    handlers = Handlers()
    for service in pb.DESCRIPTOR.services_by_name.values():
        add_service(server, service, handlers, around)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    result = Stack(f"127.0.0.1:{port}", tmp_path, revocations, handlers)
    result.around = around
    yield result
    await result.channel.close(None)
    await server.stop(None)
    await db.close()


async def code_of(call: object) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return str(caught.value.code().name)


ITEM = pb.GetItemRequest(app_id="nginx")
SOURCE = pb.CreateSourceRequest(name="acme", location="/srv/acme", format="native")


async def test_a_signed_in_user_gets_an_answer(stack: Stack) -> None:
    assert (await stack.api.GetItem(ITEM, metadata=bearer(token()))).name == "alice"
    cookie = (("cookie", f"proximity-auth-cookie={token()}"),)
    assert (await stack.api.GetItem(ITEM, metadata=cookie)).name == "alice"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nonsense",
        "a.b.c",
        token(exp=int(time.time()) - 5),
        token(aud="other"),
        token(iss="other"),
        token(typ="refresh"),
        token(key=Ed25519PrivateKey.generate()),
        "prx_wrong",
        jwt.encode({"sub": "7"}, "x" * 32, algorithm="HS256", headers={"kid": "k1"}),
    ],
)
async def test_bad_tokens_are_refused(stack: Stack, value: str) -> None:
    assert await code_of(stack.api.GetItem(ITEM, metadata=bearer(value))) == "UNAUTHENTICATED"


async def test_a_revoked_token_is_refused_at_once(stack: Stack) -> None:
    await stack.api.GetItem(ITEM, metadata=bearer(token()))
    stack.revocations.revoke("sid.s", time.time())
    assert await code_of(stack.api.GetItem(ITEM, metadata=bearer(token()))) == "UNAUTHENTICATED"


async def test_administrators_only(stack: Stack) -> None:
    assert await code_of(stack.api.CreateSource(SOURCE, metadata=bearer(token()))) == "PERMISSION_DENIED"
    assert await code_of(stack.api.CreateSource(SOURCE, metadata=bearer("prx_read"))) == "PERMISSION_DENIED"
    assert (await stack.api.CreateSource(SOURCE, metadata=bearer(token(staff=True)))).name == "acme"


async def test_internal_calls_need_the_right_service(stack: Stack) -> None:
    request = pb.RenderItemRequest(app_id="nginx")
    for name, expected in (("apps", "OK"), ("backups", "PERMISSION_DENIED")):
        private, _ = read_service_keys(stack.keys, name)
        metadata = bearer(ServiceSigner(name, private).sign("catalog"))
        if expected == "OK":
            assert (await stack.internal.RenderItem(request, metadata=metadata)).name == "apps"
        else:
            assert await code_of(stack.internal.RenderItem(request, metadata=metadata)) == expected
    private, _ = read_service_keys(stack.keys, "apps")
    elsewhere = bearer(ServiceSigner("apps", private).sign("backups"))
    assert await code_of(stack.internal.RenderItem(request, metadata=elsewhere)) == "UNAUTHENTICATED"
    assert (
        await code_of(stack.internal.RenderItem(request, metadata=bearer(token(staff=True))))
        == "PERMISSION_DENIED"
    )


async def test_a_service_acts_for_a_user(stack: Stack) -> None:
    private, _ = read_service_keys(stack.keys, "apps")
    clients = Clients(ServiceSigner("apps", private), lambda _: stack.address)
    user = User(7, "alice", is_staff=False)
    request = pb.RenderItemRequest(app_id="nginx")
    answer = await clients.call("catalog", stubs.CatalogInternalServiceStub, "RenderItem", request, user=user)
    assert (answer.name, answer.catalog_id) == ("apps", "alice")
    with pytest.raises(NotFoundError, match="list_revisions is not here") as caught:
        await clients.call(
            "catalog", stubs.CatalogInternalServiceStub, "ListRevisions", pb.ListRevisionsRequest()
        )
    assert isinstance(caught.value, DomainError)
    assert caught.value.reason == "NOT_FOUND"
    await clients.close()


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


async def test_writes_with_a_cookie_need_the_csrf_token(stack: Stack) -> None:
    cookie = f"proximity-auth-cookie={token(staff=True)}; csrftoken=abc"
    plain = (("cookie", cookie),)
    assert await code_of(stack.api.CreateSource(SOURCE, metadata=plain)) == "PERMISSION_DENIED"
    foreign = (
        *plain,
        ("x-csrftoken", "abc"),
        ("origin", "https://evil.example"),
        ("x-forwarded-host", "here"),
    )
    assert await code_of(stack.api.CreateSource(SOURCE, metadata=foreign)) == "PERMISSION_DENIED"
    good = (*plain, ("x-csrftoken", "abc"), ("origin", "https://here"), ("x-forwarded-host", "here"))
    assert (await stack.api.CreateSource(SOURCE, metadata=good)).name == "acme"


@pytest.mark.parametrize(
    "foreign", ['prefs={"theme":"dark", "n":1}', "cart[0]=a b", "session", "expires=never", 'a="b', "ü=ö"]
)
def test_cookies_of_others_on_the_same_machine_do_not_hide_ours(foreign: str) -> None:
    assert parse_cookies(f"{foreign}; csrftoken=abc")["csrftoken"] == "abc"
    assert parse_cookies(f"csrftoken=abc;{foreign}")["csrftoken"] == "abc"


@pytest.mark.parametrize("origin", ["http://[", "null", "https://evil.example"])
async def test_an_origin_that_is_not_ours_is_refused_whatever_it_is(stack: Stack, origin: str) -> None:
    cookie = ("cookie", f"proximity-auth-cookie={token(staff=True)}; csrftoken=abc")
    metadata = (cookie, ("x-csrftoken", "abc"), ("origin", origin))
    assert await code_of(stack.api.CreateSource(SOURCE, metadata=metadata)) == "PERMISSION_DENIED"


def test_a_key_belongs_to_the_user_and_to_what_the_credentials_may_do() -> None:
    """Whoever may do less, or for a shorter time, gets no answer that was given to somebody who may do more."""
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
    add_service(server, pb.DESCRIPTOR.services_by_name["CatalogService"], stack.handlers, around)
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
