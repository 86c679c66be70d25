"""Exchange of refresh tokens: repetition, reuse, and the time of the sign-in."""

from __future__ import annotations

from datetime import timedelta

from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb

from services.auth.domain.credentials import REPETITION_TTL
from services.auth.store.tables import refresh_tokens, sessions
from services.common.core.clock import now
from tests.fakes.auth_server import Client, bearer, find_reason, read_claims, refused


async def test_a_refresh_token_used_twice_ends_the_session_at_once(client: Client) -> None:
    session = await client.register("root")
    request = pb.RefreshTokenRequest(refresh=session.refresh)
    pair = await client.public.RefreshToken(request)
    await client.public.GetCurrentUser(Empty(), metadata=bearer(pair.access))
    assert (await client.public.RefreshToken(request)).refresh == pair.refresh  # a repetition, as of two tabs
    used = refresh_tokens.update().where(refresh_tokens.c.used_at.is_not(None))
    await client.write(used.values(used_at=now() - REPETITION_TTL))
    assert (await refused(client.public.RefreshToken(request)))[0] == "UNAUTHENTICATED"
    for token in (session.access, pair.access):
        assert not await client.accepts(token)
    again = pb.RefreshTokenRequest(refresh=pair.refresh)
    assert (await refused(client.public.RefreshToken(again)))[0] == "UNAUTHENTICATED"
    swapped = pb.RefreshTokenRequest(refresh=pair.access)
    assert (await refused(client.public.RefreshToken(swapped)))[0] == "UNAUTHENTICATED"


async def test_an_unknown_or_missing_refresh_token_is_refused(client: Client) -> None:
    session = await client.register("root")
    for token in ("", "unknown", session.access):
        code, error = await refused(client.refresh(token))
        assert (code, find_reason(error).reason) == ("UNAUTHENTICATED", "REFRESH_TOKEN_INVALID")
    assert (await client.refresh(session.refresh)).refresh != session.refresh


async def test_a_refreshed_token_has_the_time_of_the_sign_in(client: Client) -> None:
    session = await client.register("root")
    await client.age_sign_ins(minutes=11)
    pair = await client.refresh(session.refresh)
    claims = read_claims(pair.access)
    assert claims["iat"] - claims["auth_time"] >= 600
    call = client.public.CreateApiToken(pb.CreateApiTokenRequest(name="ci"), metadata=bearer(pair.access))
    code, error = await refused(call)
    assert code == "UNAUTHENTICATED"
    info = find_reason(error)
    assert info.reason == "STEP_UP_REQUIRED"
    assert dict(info.metadata) == {"methods": "password", "path": "/api/auth/step-up", "max_age": "600"}
    challenge = dict(error.initial_metadata() or ())["www-authenticate"]
    assert challenge == 'Bearer error="insufficient_user_authentication", max_age=600'
    me = await client.public.ListApiTokens(Empty(), metadata=bearer(pair.access))
    assert me.total == 0


async def test_a_session_of_an_earlier_release_was_authenticated_when_it_began(client: Client) -> None:
    session = await client.register("root")
    began = now() - timedelta(hours=2)
    values = {"authenticated_at": None, "created_at": began}
    await client.write(sessions.update().values(**values))
    pair = await client.refresh(session.refresh)
    assert read_claims(pair.access)["auth_time"] == int(began.timestamp())
