"""One session of the caller."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import Client, bearer, read_claims, refused


async def test_a_session_says_whether_it_is_the_caller_s(client: Client) -> None:
    first = await client.register("root")
    second = await client.sign_in("root")
    for session in (first, second):
        request = pb.GetSessionRequest(id=read_claims(session.access)["sid"])
        shown = await client.public.GetSession(request, metadata=bearer(first.access))
        assert (shown.id, shown.is_current) == (request.id, session is first)


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
