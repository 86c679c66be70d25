"""Sign-in with a password: refusals, limits, and the origins of pages that may do it."""

from __future__ import annotations

import asyncio

import pytest
from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import PASSWORD, Client, bearer, find_reason, read_claims, read_cookies, refused

LOGIN = pb.LoginRequest(username="root", password=PASSWORD)
HERE = (("x-forwarded-host", "apps.example.org:8000"), ("x-envoy-external-address", "192.0.2.7"))
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


async def test_a_name_is_found_whatever_its_case_and_its_session_is_the_user_s(client: Client) -> None:
    await client.register("root")
    alice = await client.register("alice")
    session = await client.sign_in("ALICE")
    assert session.user.id == alice.user.id
    assert read_claims(session.access)["sub"] == str(alice.user.id)
    assert read_claims(session.access)["sid"] != read_claims(alice.access)["sid"]


async def test_a_deactivated_user_does_not_sign_in(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    change = pb.UpdateUserRequest(id=alice.user.id, is_active=False)
    await client.public.UpdateUser(change, metadata=bearer(root.access))
    code, error = await refused(client.sign_in("alice"))
    assert (code, find_reason(error).reason) == ("UNAUTHENTICATED", "SIGN_IN_FAILED")


async def test_a_wrong_password_and_an_unknown_user_look_the_same(client: Client) -> None:
    await client.register("root")
    seen = set()
    for username in ("root", "nobody"):
        request = pb.LoginRequest(username=username, password="wrong")
        code, error = await refused(client.public.Login(request))
        seen.add((code, error.details()))
    assert len(seen) == 1
    assert seen.pop()[0] == "UNAUTHENTICATED"


async def test_failures_make_the_next_attempt_wait_even_with_the_right_password(client: Client) -> None:
    await client.register("root")
    wrong, right = (pb.LoginRequest(username="Root", password=text) for text in ("wrong", PASSWORD))
    for _ in range(4):
        assert (await refused(client.public.Login(wrong)))[0] == "UNAUTHENTICATED"
    code, error = await refused(client.public.Login(right))
    assert code == "RESOURCE_EXHAUSTED"
    assert int(dict(error.initial_metadata() or ())["retry-after"]) >= 1


async def test_failures_for_many_names_from_one_address_make_it_wait(client: Client) -> None:
    requests = [pb.LoginRequest(username=f"user{number}", password="wrong") for number in range(12)]
    codes = [(await refused(client.public.Login(request)))[0] for request in requests]
    assert codes == ["UNAUTHENTICATED"] * 9 + ["RESOURCE_EXHAUSTED"] * 3


async def test_guesses_sent_at_once_are_limited_like_those_sent_one_by_one(client: Client) -> None:
    await client.register("root")
    requests = [pb.LoginRequest(username="root", password="wrong") for _ in range(20)]
    codes = [code for code, _ in await asyncio.gather(*(refused(client.public.Login(r)) for r in requests))]
    assert codes.count("UNAUTHENTICATED") <= 5


async def test_many_right_sign_ins_at_once_all_succeed(client: Client) -> None:
    await client.register("root")
    request = pb.LoginRequest(username="root", password=PASSWORD)
    sessions = await asyncio.gather(*(client.public.Login(request) for _ in range(20)))
    assert len({session.refresh for session in sessions}) == 20


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
    assert (await client.refresh(session.refresh)).access


@pytest.mark.parametrize("headers", OWN, ids=str)
async def test_pages_of_ours_and_clients_that_are_no_browsers_sign_in(
    client: Client, headers: tuple[tuple[str, str], ...]
) -> None:
    await client.register("root")
    call = client.public.Login(LOGIN, metadata=(*HERE, *headers))
    assert (await call).user.username == "root"
    assert "proximity-auth-cookie" in await read_cookies(call)
