"""Personal API tokens: scopes, expiry, and tokens that tokens create."""

from __future__ import annotations

from datetime import timedelta

import pytest
from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb

from services.common.core.clock import now
from tests.fakes.auth_server import PASSWORD, Client, bearer, find_reason, list_violations, refused

STEP_UP = pb.StepUpRequest(password=PASSWORD)


async def test_an_api_token_may_what_its_scopes_say_and_no_more(client: Client) -> None:
    root = await client.register("root")
    made = pb.CreateApiTokenRequest(name="ci")
    token = await client.public.CreateApiToken(made, metadata=bearer(root.access))
    shown = await client.public.ListApiTokens(Empty(), metadata=bearer(token.token))
    assert (shown.total, shown.tokens[0].HasField("token"), list(shown.tokens[0].scopes)) == (
        1,
        False,
        ["read"],
    )
    for call in (
        client.public.CreateApiToken(pb.CreateApiTokenRequest(name="x"), metadata=bearer(token.token)),
        client.public.ListUsers(pb.ListUsersRequest(), metadata=bearer(token.token)),
    ):
        assert (await refused(call))[0] == "PERMISSION_DENIED"
    writer = pb.CreateApiTokenRequest(name="writer", scopes=["write"])
    write = await client.public.CreateApiToken(writer, metadata=bearer(root.access))
    wider = pb.CreateApiTokenRequest(name="wider", scopes=["admin"])
    assert (await refused(client.public.CreateApiToken(wider, metadata=bearer(write.token))))[
        0
    ] == "PERMISSION_DENIED"
    await client.public.DeleteApiToken(pb.DeleteApiTokenRequest(id=token.id), metadata=bearer(root.access))
    assert (await refused(client.public.ListApiTokens(Empty(), metadata=bearer(token.token))))[
        0
    ] == "UNAUTHENTICATED"


async def test_an_ordinary_user_makes_no_admin_token_and_none_that_ends_in_the_past(client: Client) -> None:
    await client.register("root")
    alice = await client.register("alice")
    admin = pb.CreateApiTokenRequest(name="x", scopes=["admin"])
    assert (await refused(client.public.CreateApiToken(admin, metadata=bearer(alice.access))))[
        0
    ] == "PERMISSION_DENIED"
    past = pb.CreateApiTokenRequest(name="x")
    past.expires_at.FromSeconds(1)
    assert (await refused(client.public.CreateApiToken(past, metadata=bearer(alice.access))))[
        0
    ] == "INVALID_ARGUMENT"


async def test_an_api_token_makes_none_that_lives_longer(client: Client) -> None:
    session = await client.register("root")
    week = await client.create_api_token(session.access, "week", "read", "write", days=7)
    code, error = await refused(client.create_api_token(week.token, "year", "write", days=365))
    assert code == "INVALID_ARGUMENT"
    assert "expires_at" in str(error.details())
    heir = await client.create_api_token(week.token, "heir", "write")
    assert heir.expires_at == week.expires_at
    assert (
        await client.create_api_token(week.token, "day", "write", days=1)
    ).expires_at.seconds < week.expires_at.seconds


@pytest.mark.parametrize(
    ("own", "wanted", "is_allowed"),
    [
        (("write",), ("read",), True),  # a token that may write may read
        (("write",), ("write",), True),
        (("write",), ("admin",), False),
        (("write",), ("write", "admin"), False),
        (("read", "write"), ("read", "write"), True),
    ],
)
async def test_an_api_token_makes_none_that_may_do_more(
    client: Client, own: tuple[str, ...], wanted: tuple[str, ...], is_allowed: bool
) -> None:
    session = await client.register("root")
    token = await client.create_api_token(session.access, "own", *own)
    call = client.create_api_token(token.token, "made", *wanted)
    if is_allowed:
        assert tuple((await call).scopes) == wanted
    else:
        assert (await refused(call))[0] == "PERMISSION_DENIED"


async def test_an_api_token_gets_no_answer_that_was_given_to_a_session(client: Client) -> None:
    session = await client.register("root")
    request = pb.CreateApiTokenRequest(name="ci", scopes=["read", "write"])
    weak = await client.public.CreateApiToken(request, metadata=bearer(session.access))
    key = ("idempotency-key", "k")
    strong = pb.CreateApiTokenRequest(name="admin", scopes=["admin"])
    first = await client.public.CreateApiToken(strong, metadata=(*bearer(session.access), key))
    again = await client.public.CreateApiToken(strong, metadata=(*bearer(session.access), key))
    assert again.token == first.token
    code, _ = await refused(client.public.CreateApiToken(strong, metadata=(*bearer(weak.token), key)))
    assert code == "PERMISSION_DENIED"
    await client.age_sign_ins(minutes=11)
    pair = await client.refresh(session.refresh)
    code, error = await refused(client.public.CreateApiToken(strong, metadata=(*bearer(pair.access), key)))
    assert (code, find_reason(error).reason) == ("UNAUTHENTICATED", "STEP_UP_REQUIRED")


async def test_a_name_is_used_once_by_each_user(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    await client.create_api_token(root.access, "ci")
    code, error = await refused(client.create_api_token(root.access, "ci"))
    assert (code, find_reason(error).reason) == ("ALREADY_EXISTS", "API_TOKEN_NAME_TAKEN")
    assert (await client.create_api_token(alice.access, "ci")).name == "ci"


async def test_a_token_ends_after_90_days_by_default_and_after_two_years_at_most(client: Client) -> None:
    session = await client.register("root")
    made = await client.create_api_token(session.access, "default")
    left = made.expires_at.ToSeconds() - now().timestamp()
    assert abs(left - timedelta(days=90).total_seconds()) < 60
    code, error = await refused(client.create_api_token(session.access, "long", days=731))
    assert (code, list_violations(error)) == ("INVALID_ARGUMENT", ["expires_at"])
