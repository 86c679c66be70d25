"""The end of all other sessions of the caller."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import Client, bearer, refused


async def test_all_other_sessions_end_at_once(client: Client) -> None:
    others = [await client.register("root"), *[await client.sign_in("root") for _ in range(2)]]
    mine = await client.sign_in("root")
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


async def test_sessions_of_other_users_go_on(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    await client.public.DeleteOtherSessions(Empty(), metadata=bearer(root.access))
    assert await client.accepts(alice.access)
    assert await client.accepts(root.access)
