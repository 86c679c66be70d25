"""Accounts by id or name, for the other services."""

from __future__ import annotations

from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import Client, bearer, find_reason, refused


async def test_services_and_nobody_else_find_a_user_by_id_or_name(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    as_apps = bearer(client.sign_as("apps"))
    for request in (pb.FindUserRequest(username="ALICE"), pb.FindUserRequest(id=alice.user.id)):
        found = await client.internal.FindUser(request, metadata=as_apps)
        assert (found.id, found.username) == (alice.user.id, "alice")
        for credentials in (bearer(root.access), ()):
            code, _ = await refused(client.internal.FindUser(request, metadata=credentials))
            assert code in {"PERMISSION_DENIED", "UNAUTHENTICATED"}


async def test_an_unknown_user_is_not_found_and_an_empty_question_is_refused(client: Client) -> None:
    await client.register("root")
    as_apps = bearer(client.sign_as("apps"))
    for request in (pb.FindUserRequest(id=99), pb.FindUserRequest(username="nobody")):
        code, error = await refused(client.internal.FindUser(request, metadata=as_apps))
        assert (code, find_reason(error).reason) == ("NOT_FOUND", "USER_NOT_FOUND")
    code, _ = await refused(client.internal.FindUser(pb.FindUserRequest(), metadata=as_apps))
    assert code == "INVALID_ARGUMENT"
