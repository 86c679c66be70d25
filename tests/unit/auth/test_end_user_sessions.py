"""The end of all sessions of a user."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import Client, bearer, refused


async def test_ending_the_sessions_of_a_user_leaves_api_tokens(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    made = await client.public.CreateApiToken(
        pb.CreateApiTokenRequest(name="ci"), metadata=bearer(alice.access)
    )
    request = pb.EndUserSessionsRequest(id=alice.user.id)
    await client.public.EndUserSessions(request, metadata=bearer(root.access))
    code, _ = await refused(client.public.GetCurrentUser(Empty(), metadata=bearer(alice.access)))
    assert code == "UNAUTHENTICATED"
    await client.public.GetCurrentUser(Empty(), metadata=bearer(made.token))
    assert (await refused(client.public.EndUserSessions(request, metadata=bearer(alice.access))))[0] != "OK"


async def test_an_unknown_user_has_no_sessions_to_end(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    request = pb.EndUserSessionsRequest(id=99)
    assert (await refused(client.public.EndUserSessions(request, metadata=bearer(root.access))))[
        0
    ] == "NOT_FOUND"
    assert await client.accepts(alice.access)
