"""Audit entries of auth commit with the change that they record."""

from __future__ import annotations

from pathlib import Path

from proximity.auth.v1 import auth_service_pb2 as pb

from services.auth.domain.entities import AuditFilter, Page
from services.auth.handlers.direct_audit import DirectAudit
from services.common.rpc.call import Call
from tests.fakes.auth_server import PASSWORD, bearer, make_settings, refused, run

CHANGES = ("UpdateCurrentUser", "CreateApiToken", "DeleteApiToken", "ChangePassword", "Login", "RefreshToken")


class Dying(DirectAudit):
    """As when the process dies between the change and the end of its call."""

    async def record(self, call: Call, *, action: str, outcome: str) -> None:
        """Never comes to it."""


async def test_what_a_call_changes_and_its_audit_entry_commit_together(state: Path) -> None:
    async with run(make_settings(state), audit=Dying) as client:
        root = await client.register("root")
        alice = await client.register("alice")
        as_root, as_alice = {"metadata": bearer(root.access)}, {"metadata": bearer(alice.access)}
        profile = pb.UpdateCurrentUserRequest(bio="hello")
        await client.public.UpdateCurrentUser(profile, **as_alice)
        token = await client.public.CreateApiToken(pb.CreateApiTokenRequest(name="ci"), **as_alice)
        await client.public.DeleteApiToken(pb.DeleteApiTokenRequest(id=token.id), **as_alice)
        change = pb.ChangePasswordRequest(old_password=PASSWORD, new_password=PASSWORD + "!")
        await client.public.ChangePassword(change, **as_alice)
        await client.public.Login(pb.LoginRequest(username="alice", password=PASSWORD + "!"))
        await refused(client.public.Login(pb.LoginRequest(username="alice", password="wrong")))
        fresh = await client.refresh(alice.refresh)
        await refused(client.refresh("unknown"))
        await client.public.Logout(pb.LogoutRequest(refresh=fresh.refresh))
        quota = pb.UpdateUserRequest(id=alice.user.id, is_staff=True)
        await client.public.UpdateUser(quota, **as_root)
        await client.public.DeleteUser(pb.DeleteUserRequest(id=alice.user.id), **as_root)
        entries, _ = await client.auth.stores.audit.list_entries(Page(1, 100), wanted=AuditFilter())
        assert [(one.action.partition(".")[2], one.username, one.outcome) for one in reversed(entries)] == [
            ("RegisterUser", "root", "OK"),
            ("RegisterUser", "alice", "OK"),
            *((name, "alice", "OK") for name in CHANGES),
            ("Logout", "", "OK"),
            ("UpdateUser", "root", "OK"),
            ("DeleteUser", "root", "OK"),
        ]
        await client.auth.stores.audit.verify()
