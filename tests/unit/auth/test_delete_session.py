"""The end of one session of the caller."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import Client, bearer, find_reason, read_claims, refused


async def test_an_ended_session_is_refused_everywhere_and_the_others_go_on(client: Client) -> None:
    first = await client.register("root")
    second = await client.sign_in("root")
    mine = bearer(second.access)
    found = await client.public.ListSessions(Empty(), metadata=mine)
    await client.public.DeleteSession(pb.DeleteSessionRequest(id=found.sessions[1].id), metadata=mine)
    assert not await client.accepts(first.access)
    again = pb.RefreshTokenRequest(refresh=first.refresh)
    assert (await refused(client.public.RefreshToken(again)))[0] == "UNAUTHENTICATED"
    assert (await client.public.GetCurrentUser(Empty(), metadata=mine)).username == "root"


async def test_a_session_ends_once_and_those_of_others_not_at_all(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    ended = await client.sign_in("root")
    request = pb.DeleteSessionRequest(id=read_claims(ended.access)["sid"])
    await client.public.DeleteSession(request, metadata=bearer(root.access))
    theirs = pb.DeleteSessionRequest(id=read_claims(alice.access)["sid"])
    for refusal in (request, theirs):
        code, error = await refused(client.public.DeleteSession(refusal, metadata=bearer(root.access)))
        assert (code, find_reason(error).reason) == ("NOT_FOUND", "SESSION_NOT_FOUND")
    assert await client.accepts(alice.access)
