"""Verification of an access token for clients that cannot check its signature."""

from __future__ import annotations

import grpc
from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import Client, find_reason


async def verify(client: Client, token: str) -> str:
    """The reason that a token is refused with; empty for a valid one."""
    try:
        await client.public.VerifyToken(pb.VerifyTokenRequest(token=token))
    except grpc.aio.AioRpcError as error:
        return str(find_reason(error).reason)
    return ""


async def test_an_access_token_is_valid_until_its_session_ends(client: Client) -> None:
    session = await client.register("root")
    other = await client.sign_in("root")
    assert await verify(client, session.access) == ""
    await client.public.Logout(pb.LogoutRequest(refresh=session.refresh))
    assert await verify(client, session.access) == "CREDENTIALS_INVALID"
    assert await verify(client, other.access) == ""


async def test_what_is_no_access_token_of_a_user_is_refused(client: Client) -> None:
    session = await client.register("root")
    service = client.sign_as("apps")
    header, payload, _ = session.access.split(".")
    forged = f"{header}.{payload}.{session.access[-8:]}"
    refusals = [await verify(client, token) for token in (session.refresh, forged, "prx_unknown", service)]
    assert refusals == [*["CREDENTIALS_INVALID"] * 3, "ACCESS_TOKEN_INVALID"]
