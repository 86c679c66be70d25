"""Step-up: a signed-in user proves their identity again."""

from __future__ import annotations

from proximity.auth.v1 import auth_service_pb2 as pb

from services.auth.store.tables import sessions
from services.common.core.clock import now
from tests.fakes.auth_server import PASSWORD, Client, bearer, find_reason, read_claims, read_cookies, refused

STEP_UP = pb.StepUpRequest(password=PASSWORD)


async def test_a_session_right_from_the_sign_in_is_recent(client: Client) -> None:
    session = await client.register("root")
    claims = read_claims(session.access)
    assert claims["amr"] == ["pwd"]
    assert claims["iat"] - 5 <= claims["auth_time"] <= claims["iat"]
    made = await client.public.CreateApiToken(
        pb.CreateApiTokenRequest(name="ci"), metadata=bearer(session.access)
    )
    assert made.token.startswith("prx_")


async def test_a_step_up_gives_a_fresh_token_of_the_same_session(client: Client) -> None:
    session = await client.register("root")
    await client.age_sign_ins(minutes=11)
    pair = await client.refresh(session.refresh)
    answer = await client.public.StepUp(STEP_UP, metadata=bearer(pair.access))
    old, new = read_claims(pair.access), read_claims(answer.access)
    assert (new["sid"], answer.expires_in) == (old["sid"], 3600)
    assert new["auth_time"] - old["auth_time"] >= 600
    await client.public.CreateApiToken(pb.CreateApiTokenRequest(name="ci"), metadata=bearer(answer.access))
    again = await client.refresh(pair.refresh)
    assert read_claims(again.access)["auth_time"] == new["auth_time"]


async def test_only_a_browser_with_the_cookie_gets_the_fresh_token_as_cookie(client: Client) -> None:
    session = await client.register("root")
    call = client.public.StepUp(STEP_UP, metadata=bearer(session.access))
    await call
    assert await read_cookies(call) == {}
    cookie = f"proximity-auth-cookie={session.access}; csrftoken=t"
    call = client.public.StepUp(STEP_UP, metadata=(("cookie", cookie), ("x-csrftoken", "t")))
    answer = await call
    assert await read_cookies(call) == {"proximity-auth-cookie": answer.access}
    code, _ = await refused(client.public.StepUp(STEP_UP, metadata=(("cookie", cookie),)))
    assert code == "PERMISSION_DENIED"


async def test_wrong_passwords_of_a_step_up_are_refused_and_limited(client: Client) -> None:
    session = await client.register("root")
    wrong = pb.StepUpRequest(password="wrong-Password-1")
    for _ in range(4):
        assert (await refused(client.public.StepUp(wrong, metadata=bearer(session.access))))[
            0
        ] == "UNAUTHENTICATED"
    code, _ = await refused(client.public.StepUp(STEP_UP, metadata=bearer(session.access)))
    assert code == "RESOURCE_EXHAUSTED"


async def test_of_an_api_token_the_scopes_decide(client: Client) -> None:
    session = await client.register("root")
    request = pb.CreateApiTokenRequest(name="ci", scopes=["read", "write"])
    made = await client.public.CreateApiToken(request, metadata=bearer(session.access))
    await client.age_sign_ins(hours=1)
    request = pb.CreateApiTokenRequest(name="other", scopes=["read"])
    assert (await client.public.CreateApiToken(request, metadata=bearer(made.token))).name == "other"
    code, error = await refused(client.public.StepUp(STEP_UP, metadata=bearer(made.token)))
    assert (code, find_reason(error).reason) == ("PERMISSION_DENIED", "SESSION_MISSING")


async def test_an_ended_session_cannot_step_up(client: Client) -> None:
    session = await client.register("root")
    await client.write(sessions.update().values(ended_at=now()))
    code, _ = await refused(client.public.StepUp(STEP_UP, metadata=bearer(session.access)))
    assert code == "UNAUTHENTICATED"
