"""Change of the own password: the sessions and tokens that end with it."""

from __future__ import annotations

import pytest
from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import NEW, PASSWORD, Client, bearer, list_violations, refused


async def test_a_new_password_ends_the_other_sessions_and_not_this_one(client: Client) -> None:
    mine = await client.register("root")
    login = pb.LoginRequest(username="root", password=PASSWORD)
    other = await client.public.Login(login)
    change = pb.ChangePasswordRequest(old_password=PASSWORD, new_password="Zebra-Quilt-77")
    wrong = pb.ChangePasswordRequest(old_password="wrong", new_password="Zebra-Quilt-77")
    weak = pb.ChangePasswordRequest(old_password=PASSWORD, new_password="password")
    for request in (wrong, weak):
        call = client.public.ChangePassword(request, metadata=bearer(mine.access))
        assert (await refused(call))[0] == "INVALID_ARGUMENT"
    await client.public.ChangePassword(change, metadata=bearer(mine.access))
    await client.public.GetCurrentUser(Empty(), metadata=bearer(mine.access))
    assert not await client.accepts(other.access)
    assert (await refused(client.public.Login(login)))[0] == "UNAUTHENTICATED"


@pytest.mark.parametrize("keep", [False, True])
async def test_a_new_password_ends_api_tokens_unless_they_are_to_go_on(client: Client, keep: bool) -> None:
    session, other = await client.register("root"), await client.register("alice")
    mine = await client.create_api_token(session.access, "ci", "read", "write")
    theirs = await client.create_api_token(other.access, "ci", "read")
    assert await client.accepts(mine.token)
    request = pb.ChangePasswordRequest(old_password=PASSWORD, new_password=NEW, keep_api_tokens=keep)
    await client.public.ChangePassword(request, metadata=bearer(session.access))
    assert await client.accepts(mine.token) is keep
    assert await client.accepts(theirs.token)
    assert await client.accepts(session.access)


async def test_wrong_old_passwords_are_limited(client: Client) -> None:
    session = await client.register("root")
    wrong = pb.ChangePasswordRequest(old_password="wrong", new_password=NEW)
    for _ in range(4):
        call = client.public.ChangePassword(wrong, metadata=bearer(session.access))
        code, error = await refused(call)
        assert (code, list_violations(error)) == ("INVALID_ARGUMENT", ["old_password"])
    right = pb.ChangePasswordRequest(old_password=PASSWORD, new_password=NEW)
    code, _ = await refused(client.public.ChangePassword(right, metadata=bearer(session.access)))
    assert code == "RESOURCE_EXHAUSTED"
