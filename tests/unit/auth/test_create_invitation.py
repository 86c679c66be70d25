"""Links that create an account."""

from __future__ import annotations

from pathlib import Path

from proximity.auth.v1 import auth_service_pb2 as pb

from tests.fakes.auth_server import NEW, PASSWORD, Client, bearer, make_settings, redeem, refused, run


async def test_an_invitation_makes_one_account(state: Path) -> None:
    named = {"PROXIMITY_ADMIN_USERNAME": "root", "PROXIMITY_ADMIN_PASSWORD": PASSWORD}
    async with run(make_settings(state, ALLOW_REGISTRATION="False", DEBUG="False", **named)) as client:
        root = await client.sign_in("root")
        issued = await client.public.CreateInvitation(
            pb.CreateInvitationRequest(), metadata=bearer(root.access)
        )
        code, error = await refused(client.public.ResetPassword(redeem(issued.token)))
        assert (code, "username" in str(error.details())) == ("INVALID_ARGUMENT", True)
        assert (await refused(client.public.ResetPassword(redeem(issued.token, username="ROOT"))))[
            0
        ] == "ALREADY_EXISTS"
        await client.public.ResetPassword(redeem(issued.token, username="carol", email="c@example.org"))
        carol = await client.sign_in("carol", NEW)
        assert (carol.user.is_staff, carol.user.email) == (False, "c@example.org")
        assert (await refused(client.public.ResetPassword(redeem(issued.token, username="dave"))))[
            0
        ] == "INVALID_ARGUMENT"
        invitation = pb.CreateInvitationRequest(is_staff=True)
        issued = await client.public.CreateInvitation(invitation, metadata=bearer(root.access))
        await client.public.ResetPassword(redeem(issued.token, username="dave"))
        assert (await client.sign_in("dave", NEW)).user.is_staff


async def test_an_ordinary_user_invites_nobody(client: Client) -> None:
    await client.register("root")
    alice = await client.register("alice")
    call = client.public.CreateInvitation(pb.CreateInvitationRequest(), metadata=bearer(alice.access))
    assert (await refused(call))[0] == "PERMISSION_DENIED"
    assert await client.list_links() == "[]"
