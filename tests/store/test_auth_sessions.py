"""A user's own sessions, and the origins from which one may begin."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import PASSWORD, Client, bearer, make_settings, read_cookies, refused, run
from tests.store.auth_db import sqlite_file

__all__ = ["sqlite_file"]

HERE = (("x-forwarded-host", "apps.example.org:8000"), ("x-envoy-external-address", "192.0.2.7"))
LOGIN = pb.LoginRequest(username="root", password=PASSWORD)
FOREIGN = [
    (("origin", "https://evil.example"),),
    (("origin", "https://evil.apps.example.org:8000"),),
    (("origin", "https://apps.example.org"),),  # another port is another program
    (("origin", "null"),),
    (("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")),
    (("sec-fetch-site", "cross-site"),),
    (("sec-fetch-site", "same-site"),),
]
OWN = [
    (),
    (("origin", "https://apps.example.org:8000"),),
    (("origin", "https://apps.example.org:8000"), ("sec-fetch-site", "same-origin")),
    (("origin", "https://console.example.org"), ("sec-fetch-site", "same-site")),  # CORS_ALLOWED_ORIGINS
    (("sec-fetch-site", "same-origin"),),
    (("sec-fetch-site", "none"),),
]


@pytest.fixture(autouse=True)
def database(sqlite_file: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_file, tmp_path)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    settings = make_settings(tmp_path, CORS_ALLOWED_ORIGINS="https://console.example.org")
    async with run(settings) as running:
        yield running


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
async def test_a_foreign_page_neither_signs_in_nor_up_nor_refreshes_nor_signs_out(
    client: Client, headers: tuple[tuple[str, str], ...]
) -> None:
    session = await client.register("root")
    for rpc, request in (
        (client.public.Login, LOGIN),
        (client.public.RegisterUser, pb.RegisterUserRequest(username="eve", password=PASSWORD)),
        (client.public.RefreshToken, pb.RefreshTokenRequest(refresh=session.refresh)),
        (client.public.Logout, pb.LogoutRequest(refresh=session.refresh)),
    ):
        call = rpc(request, metadata=(*HERE, *headers))
        assert (await refused(call))[0] == "PERMISSION_DENIED"
        assert await read_cookies(call) == {}
    assert (await client.public.RefreshToken(pb.RefreshTokenRequest(refresh=session.refresh))).access


@pytest.mark.parametrize("headers", OWN, ids=str)
async def test_pages_of_ours_and_clients_that_are_no_browsers_sign_in(
    client: Client, headers: tuple[tuple[str, str], ...]
) -> None:
    await client.register("root")
    call = client.public.Login(LOGIN, metadata=(*HERE, *headers))
    assert (await call).user.username == "root"
    assert "proximity-auth-cookie" in await read_cookies(call)


async def test_a_user_sees_where_the_account_is_signed_in(client: Client) -> None:
    first = await client.register("root")
    second = await client.public.Login(LOGIN, metadata=HERE)
    found = await client.public.ListSessions(Empty(), metadata=bearer(second.access))
    assert found.total == 2
    newest, oldest = found.sessions
    assert (newest.is_current, oldest.is_current) == (True, False)
    assert newest.address == "192.0.2.7"
    assert newest.user_agent.startswith("grpc-python")
    shown = await client.public.GetSession(pb.GetSessionRequest(id=oldest.id), metadata=bearer(first.access))
    assert (shown.id, shown.is_current) == (oldest.id, True)


async def test_an_ended_session_is_refused_everywhere_and_the_others_go_on(client: Client) -> None:
    first = await client.register("root")
    second = await client.public.Login(LOGIN)
    mine = bearer(second.access)
    found = await client.public.ListSessions(Empty(), metadata=mine)
    await client.public.DeleteSession(pb.DeleteSessionRequest(id=found.sessions[1].id), metadata=mine)
    assert (await refused(client.public.GetCurrentUser(Empty(), metadata=bearer(first.access))))[
        0
    ] == "UNAUTHENTICATED"
    again = pb.RefreshTokenRequest(refresh=first.refresh)
    assert (await refused(client.public.RefreshToken(again)))[0] == "UNAUTHENTICATED"
    assert (await client.public.GetCurrentUser(Empty(), metadata=mine)).username == "root"


async def test_sessions_of_others_and_ended_ones_are_not_found(client: Client) -> None:
    root, other = await client.register("root"), await client.register("alice")
    found = await client.public.ListSessions(Empty(), metadata=bearer(other.access))
    theirs = found.sessions[0].id
    for rpc, request in (
        (client.public.GetSession, pb.GetSessionRequest(id=theirs)),
        (client.public.DeleteSession, pb.DeleteSessionRequest(id=theirs)),
    ):
        assert (await refused(rpc(request, metadata=bearer(root.access))))[0] == "NOT_FOUND"
    assert (await client.public.GetCurrentUser(Empty(), metadata=bearer(other.access))).username == "alice"


async def test_all_other_sessions_end_at_once(client: Client) -> None:
    others = [await client.register("root"), *[await client.public.Login(LOGIN) for _ in range(2)]]
    mine = await client.public.Login(LOGIN)
    await client.public.DeleteOtherSessions(Empty(), metadata=bearer(mine.access))
    for session in others:
        call = client.public.GetCurrentUser(Empty(), metadata=bearer(session.access))
        assert (await refused(call))[0] == "UNAUTHENTICATED"
    found = await client.public.ListSessions(Empty(), metadata=bearer(mine.access))
    assert [session.is_current for session in found.sessions] == [True]
    token = await client.public.CreateApiToken(
        pb.CreateApiTokenRequest(name="ci", scopes=["write"]), metadata=bearer(mine.access)
    )
    code, _ = await refused(client.public.DeleteOtherSessions(Empty(), metadata=bearer(token.token)))
    assert code == "PERMISSION_DENIED"
