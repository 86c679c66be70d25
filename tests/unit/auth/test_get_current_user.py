"""The account of the caller."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import Client, bearer, refused


async def test_a_user_sees_the_own_account_among_others(client: Client) -> None:
    await client.register("root")
    alice = await client.register("alice")
    me = await client.public.GetCurrentUser(Empty(), metadata=bearer(alice.access))
    assert (me.id, me.username, me.is_staff) == (alice.user.id, "alice", False)


async def test_a_deleted_user_is_signed_in_no_more(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    await client.public.DeleteUser(pb.DeleteUserRequest(id=alice.user.id), metadata=bearer(root.access))
    assert not await client.accepts(alice.access)


async def test_a_page_that_is_not_signed_in_gets_a_csrf_token(client: Client) -> None:
    code, error = await refused(client.public.GetCurrentUser(Empty()))
    assert code == "UNAUTHENTICATED"
    assert str(dict(error.initial_metadata() or ())["set-cookie"]).startswith("csrftoken=")
