"""The redemption of one-time links."""

from __future__ import annotations

import asyncio
from typing import Any

from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import NEW, Client, bearer, redeem, refused


async def test_a_reset_link_sets_the_password_once_and_ends_everything(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    made = await client.public.CreateApiToken(
        pb.CreateApiTokenRequest(name="ci"), metadata=bearer(alice.access)
    )
    issued = await client.create_reset_link(root, alice.user.id)
    assert issued.link == f"https://proximity.example.org/api/auth/redeem#{issued.token}"
    assert len(issued.token) >= 43
    assert issued.token not in await client.list_links()
    answer = await client.public.ResetPassword(redeem(issued.token))
    assert "alice" in answer.detail
    assert (await refused(client.sign_in("alice")))[0] == "UNAUTHENTICATED"
    session = await client.sign_in("alice", NEW)
    [notice] = session.notices
    assert "administrator root" in notice
    assert list((await client.sign_in("alice", NEW)).notices) == []
    for gone in (alice.access, made.token):
        assert not await client.accepts(gone)
    code, _ = await refused(client.refresh(alice.refresh))
    assert code == "UNAUTHENTICATED"
    assert (await refused(client.public.ResetPassword(redeem(issued.token, "Third-Horse-99"))))[
        0
    ] == "INVALID_ARGUMENT"
    assert await client.list_audit(root.access, "auth.CreateResetLink") == [
        ("root", f"user {alice.user.id}", "OK")
    ]
    assert ("alice", "", "OK") in await client.list_audit(root.access, "auth.ResetPassword")


async def test_a_refused_password_leaves_the_link_as_it_is(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    issued = await client.create_reset_link(root, alice.user.id)
    for request in (
        redeem(issued.token, "short"),
        redeem(issued.token, username="root"),
        redeem(issued.token, email="x@example.org"),
    ):
        assert (await refused(client.public.ResetPassword(request)))[0] == "INVALID_ARGUMENT"
    await client.public.ResetPassword(redeem(issued.token, username="ALICE"))
    await client.sign_in("alice", NEW)


async def test_of_two_who_redeem_at_once_one_succeeds(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    issued = await client.create_reset_link(root, alice.user.id)
    tries = [client.public.ResetPassword(redeem(issued.token, f"Parallel-Horse-{n}")) for n in range(4)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(each, BaseException) for each in done) == 1


async def test_links_end_with_the_rights_of_who_made_them_and_with_the_role_of_whom_they_concern(
    client: Client,
) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    endings: tuple[Any, ...] = (
        pb.UpdateUserRequest(is_staff=False),
        pb.UpdateUserRequest(is_active=False),
        pb.DeleteUserRequest(),
    )
    for number, ending in enumerate(endings):
        name = f"chief{number}"
        wanted = pb.CreateUserRequest(username=name, password=NEW, is_staff=True)
        ending.id = (await client.public.CreateUser(wanted, metadata=bearer(root.access))).id
        chief = await client.sign_in(name, NEW)
        invitation = pb.CreateInvitationRequest(is_staff=True)
        issued = await client.public.CreateInvitation(invitation, metadata=bearer(chief.access))
        reset = await client.create_reset_link(chief, alice.user.id)
        end = client.public.DeleteUser if number == 2 else client.public.UpdateUser
        await end(ending, metadata=bearer(root.access))
        for token, username in ((issued.token, "eve"), (reset.token, "")):
            answer = await refused(client.public.ResetPassword(redeem(token, username=username)))
            assert answer[0] == "INVALID_ARGUMENT"
    issued = await client.create_reset_link(root, alice.user.id)
    promotion = pb.UpdateUserRequest(id=alice.user.id, is_staff=True)
    await client.public.UpdateUser(promotion, metadata=bearer(root.access))
    assert (await refused(client.public.ResetPassword(redeem(issued.token))))[0] == "INVALID_ARGUMENT"


async def test_guessed_links_are_limited(client: Client) -> None:
    codes = [(await refused(client.public.ResetPassword(redeem(f"guess-{n}"))))[0] for n in range(12)]
    assert codes == ["INVALID_ARGUMENT"] * 9 + ["RESOURCE_EXHAUSTED"] * 3
