"""A server admits whom the proto names, and answers every refusal as a google.rpc status."""

from __future__ import annotations

import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from proximity.catalog.v1 import catalog_service_pb2 as pb
from proximity.catalog.v1 import catalog_service_pb2_grpc as stubs

from services.common.core.errors import (
    DomainError,
    NotFoundError,
)
from services.common.identity.keys import ServiceSigner, read_service_keys
from services.common.identity.tokens import (
    User,
)
from services.common.rpc.call import parse_cookies
from services.common.rpc.client import Clients
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
    answer = await clients.call(
        "catalog", stubs.CatalogInternalServiceStub, method="RenderItem", request=request, user=user
    )
    assert (answer.name, answer.catalog_id) == ("apps", "alice")
    with pytest.raises(NotFoundError, match="list_revisions is not here") as caught:
        await clients.call(
            "catalog",
            stubs.CatalogInternalServiceStub,
            method="ListRevisions",
            request=pb.ListRevisionsRequest(),
        )
    assert isinstance(caught.value, DomainError)
    assert caught.value.reason == "NOT_FOUND"
    await clients.close()


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
