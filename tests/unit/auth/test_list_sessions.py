"""The sessions of the caller."""

from __future__ import annotations

from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import PASSWORD, Client, bearer, read_claims, refused

LOGIN = pb.LoginRequest(username="root", password=PASSWORD)
HERE = (("x-envoy-external-address", "192.0.2.7"),)


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


async def test_ended_sessions_and_those_of_others_are_not_listed(client: Client) -> None:
    root = await client.register("root")
    await client.register("alice")
    ended = await client.sign_in("root")
    await client.public.Logout(pb.LogoutRequest(refresh=ended.refresh))
    found = await client.public.ListSessions(Empty(), metadata=bearer(root.access))
    assert [session.id for session in found.sessions] == [read_claims(root.access)["sid"]]
    assert (await refused(client.public.ListSessions(Empty())))[0] == "UNAUTHENTICATED"
