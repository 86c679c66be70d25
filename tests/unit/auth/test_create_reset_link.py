"""Links that set the password of an account."""

from __future__ import annotations

from datetime import timedelta

from proximity.auth.v1 import auth_service_pb2 as pb

from services.auth.store.tables import one_time_links
from services.common.core.clock import now
from tests.fakes.auth_server import NEW, PASSWORD, Client, bearer, redeem, refused


async def test_a_link_ends_with_a_second_one_and_with_a_change_of_the_password(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    first = await client.create_reset_link(root, alice.user.id)
    second = await client.create_reset_link(root, alice.user.id)
    assert (await refused(client.public.ResetPassword(redeem(first.token))))[0] == "INVALID_ARGUMENT"
    change = pb.ChangePasswordRequest(old_password=PASSWORD, new_password=NEW)
    await client.public.ChangePassword(change, metadata=bearer(alice.access))
    code, error = await refused(client.public.ResetPassword(redeem(second.token, "Third-Horse-99")))
    assert code == "INVALID_ARGUMENT"
    assert "ask for a new link" in str(error.details())
    assert "administrator root made a link" in (await client.sign_in("alice", NEW)).notices[0]


async def test_a_link_ends_after_an_hour_and_with_the_account(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    issued = await client.create_reset_link(root, alice.user.id)
    assert (
        timedelta(minutes=59)
        < issued.expires_at.ToDatetime() - now().replace(tzinfo=None)
        <= timedelta(hours=1)
    )
    change = one_time_links.update().values(expires_at=now() - timedelta(seconds=1))
    await client.write(change)
    assert (await refused(client.public.ResetPassword(redeem(issued.token))))[0] == "INVALID_ARGUMENT"
    issued = await client.create_reset_link(root, alice.user.id)
    await client.public.UpdateUser(
        pb.UpdateUserRequest(id=alice.user.id, is_active=False), metadata=bearer(root.access)
    )
    assert (await refused(client.public.ResetPassword(redeem(issued.token))))[0] == "INVALID_ARGUMENT"
    assert (await refused(client.create_reset_link(root, alice.user.id)))[0] == "ABORTED"
    await client.public.DeleteUser(pb.DeleteUserRequest(id=alice.user.id), metadata=bearer(root.access))
    assert await client.list_links() == "[]"


async def test_an_api_token_makes_no_link_for_an_administrator(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    other = await client.public.CreateUser(
        pb.CreateUserRequest(username="other", password=NEW, is_staff=True), metadata=bearer(root.access)
    )
    request = pb.CreateApiTokenRequest(name="ci", scopes=["admin", "write"])
    token = (await client.public.CreateApiToken(request, metadata=bearer(root.access))).token
    code, error = await refused(
        client.public.CreateResetLink(pb.CreateResetLinkRequest(id=other.id), metadata=bearer(token))
    )
    assert (code, "sign in" in str(error.details())) == ("PERMISSION_DENIED", True)
    await client.public.CreateResetLink(pb.CreateResetLinkRequest(id=alice.user.id), metadata=bearer(token))
    await client.public.CreateResetLink(pb.CreateResetLinkRequest(id=other.id), metadata=bearer(root.access))
