"""Roles, activation and quotas of accounts."""

from __future__ import annotations

from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import user_pb2

from tests.fakes.auth_server import NEW, Client, bearer, find_reason, refused


async def test_a_demoted_administrator_is_none_at_once(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    promote, demote = (pb.UpdateUserRequest(id=alice.user.id, is_staff=value) for value in (True, False))
    await client.public.UpdateUser(promote, metadata=bearer(root.access))
    request = pb.RefreshTokenRequest(refresh=alice.refresh)
    pair = await client.public.RefreshToken(request)
    listed = await client.public.ListUsers(pb.ListUsersRequest(), metadata=bearer(pair.access))
    assert (listed.total, listed.page, listed.per_page) == (2, 1, 20)
    await client.public.UpdateUser(demote, metadata=bearer(root.access))
    code, _ = await refused(client.public.ListUsers(pb.ListUsersRequest(), metadata=bearer(pair.access)))
    assert code == "UNAUTHENTICATED"
    last = pb.DeleteUserRequest(id=root.user.id)
    assert (await refused(client.public.DeleteUser(last, metadata=bearer(root.access))))[0] == "ABORTED"


async def test_an_api_token_makes_and_unmakes_no_administrator(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    wanted = pb.CreateApiTokenRequest(name="ci", scopes=["admin", "write"])
    token = bearer((await client.public.CreateApiToken(wanted, metadata=bearer(root.access))).token)
    other = pb.CreateUserRequest(username="other", password=NEW, is_staff=True)
    other_id = (await client.public.CreateUser(other, metadata=bearer(root.access))).id
    for rpc, request in (
        (client.public.CreateUser, pb.CreateUserRequest(username="eve", password=NEW, is_staff=True)),
        (client.public.UpdateUser, pb.UpdateUserRequest(id=alice.user.id, is_staff=True)),
        (client.public.UpdateUser, pb.UpdateUserRequest(id=other_id, is_staff=False)),
        (client.public.UpdateUser, pb.UpdateUserRequest(id=other_id, is_active=False)),
        (client.public.DeleteUser, pb.DeleteUserRequest(id=other_id)),
        (client.public.CreateInvitation, pb.CreateInvitationRequest(is_staff=True)),
    ):
        code, error = await refused(rpc(request, metadata=token))
        assert (code, "sign in" in str(error.details())) == ("PERMISSION_DENIED", True)
    same = pb.UpdateUserRequest(id=other_id, is_staff=True, quota=user_pb2.Quota(apps=3))
    assert (await client.public.UpdateUser(same, metadata=token)).is_staff
    made = await client.public.CreateUser(pb.CreateUserRequest(username="bob"), metadata=token)
    assert not made.is_staff
    promotion = pb.UpdateUserRequest(id=made.id, is_staff=True)
    assert (await client.public.UpdateUser(promotion, metadata=bearer(root.access))).is_staff


async def test_a_deactivated_user_is_signed_out_and_others_are_not(client: Client) -> None:
    root, alice, bob = [await client.register(name) for name in ("root", "alice", "bob")]
    token = await client.create_api_token(alice.access, "ci")
    change = pb.UpdateUserRequest(id=alice.user.id, is_active=False)
    await client.public.UpdateUser(change, metadata=bearer(root.access))
    assert not await client.accepts(alice.access)
    assert not await client.accepts(token.token)
    assert await client.accepts(bob.access)


async def test_an_unknown_user_and_the_last_administrator_are_refused(client: Client) -> None:
    root = await client.register("root")
    for user_id, wanted in ((99, "USER_NOT_FOUND"), (root.user.id, "LAST_ADMIN")):
        change = pb.UpdateUserRequest(id=user_id, is_staff=False)
        _, error = await refused(client.public.UpdateUser(change, metadata=bearer(root.access)))
        assert find_reason(error).reason == wanted
