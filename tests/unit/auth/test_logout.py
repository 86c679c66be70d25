"""Sign-out: by refresh token, by session and by cookie."""

from __future__ import annotations

import asyncio
from pathlib import Path

import jwt
from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb

from services.clients.auth.verification import watch_revocations
from services.common.identity.tokens import Caller, Revocations
from services.common.identity.tokens import User as TokenUser
from services.common.messaging.bus import Bus
from tests.fakes.auth_server import PASSWORD, Client, bearer, make_settings, read_cookies, refused, run


async def test_signing_out_ends_the_session_and_leaves_the_others(client: Client) -> None:
    first = await client.register("root")
    second = await client.sign_in("root")
    await client.public.Logout(pb.LogoutRequest(), metadata=bearer(first.access))
    assert not await client.accepts(first.access)
    assert (await refused(client.refresh(first.refresh)))[0] == "UNAUTHENTICATED"
    assert await client.accepts(second.access)
    await client.public.Logout(pb.LogoutRequest(refresh=second.refresh))
    assert not await client.accepts(second.access)


async def test_nothing_to_sign_out_of_is_no_error(client: Client) -> None:
    session = await client.register("root")
    for request in (pb.LogoutRequest(), pb.LogoutRequest(refresh="unknown")):
        assert (await client.public.Logout(request)).detail == "Successfully logged out."
    assert await client.accepts(session.access)


async def test_an_api_token_is_not_ended_by_signing_out(client: Client) -> None:
    session = await client.register("root")
    token = (await client.create_api_token(session.access, "ci", "write")).token
    await client.public.Logout(pb.LogoutRequest(), metadata=bearer(token))
    assert await client.accepts(token)


async def test_cookies_refresh_and_sign_out_only_with_the_csrf_token(client: Client) -> None:
    call = client.public.RegisterUser(pb.RegisterUserRequest(username="root", password=PASSWORD))
    await call
    jar = await read_cookies(call)
    cookie = ("cookie", "; ".join(f"{name}={value}" for name, value in jar.items()))
    for rpc, request in (
        (client.public.RefreshToken, pb.RefreshTokenRequest()),
        (client.public.Logout, pb.LogoutRequest()),
    ):
        assert (await refused(rpc(request, metadata=(cookie,))))[0] == "PERMISSION_DENIED"
    csrf = ("x-csrftoken", jar["csrftoken"])
    refreshed = client.public.RefreshToken(pb.RefreshTokenRequest(), metadata=(cookie, csrf))
    await refreshed
    jar |= await read_cookies(refreshed)
    cookie = ("cookie", "; ".join(f"{name}={value}" for name, value in jar.items()))
    left = client.public.Logout(pb.LogoutRequest(), metadata=(cookie, csrf))
    await left
    assert set((await read_cookies(left)).values()) == {""}
    assert (await refused(client.public.GetCurrentUser(Empty(), metadata=(cookie,))))[0] == "UNAUTHENTICATED"
    late = pb.RefreshTokenRequest(refresh=jar["proximity-refresh-cookie"])
    assert (await refused(client.public.RefreshToken(late)))[0] == "UNAUTHENTICATED"


async def test_other_services_learn_of_a_revocation_within_a_second(state: Path, nats: str) -> None:
    async with run(make_settings(state, NATS_URL=nats), messaging=True) as client:
        other, known = Bus(nats, name="other"), Revocations()
        other.start()
        watching = asyncio.ensure_future(watch_revocations(other, known))
        assert await client.auth.runtime.bus.wait_connected(timeout=20)
        assert await other.wait_connected(timeout=20)
        session = await client.register("root")
        claims = jwt.decode(session.access, options={"verify_signature": False})
        caller = Caller(TokenUser(1, "root", True), session=claims["sid"], issued_at=claims["iat"])  # noqa: FBT003 - it is is_staff
        await client.public.Logout(pb.LogoutRequest(refresh=session.refresh))
        async with asyncio.timeout(60):
            while not known.is_revoked(caller):  # noqa: ASYNC110 - NATS decides when
                await asyncio.sleep(0.01)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await other.close()
