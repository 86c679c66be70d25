"""Accounts that administrators make and reset, as auth's callers see it: the real gRPC server on SQLite."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import events_pb2, user_pb2

from services.auth.store.tables import one_time_links, outbox, users
from services.common.core.clock import now
from tests.fakes.auth_server import PASSWORD, Client, bearer, make_settings, refused, run
from tests.store.auth_db import sqlite_file

__all__ = ["sqlite_file"]

NEW = "Another-Horse-9"


@pytest.fixture(autouse=True)
def database(sqlite_file: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_file, tmp_path)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with run(make_settings(tmp_path, PUBLIC_URL="https://proximity.example.org/")) as running:
        yield running


async def sign_in(client: Client, username: str, password: str = PASSWORD) -> user_pb2.Session:
    return await client.public.Login(pb.LoginRequest(username=username, password=password))  # type: ignore[no-any-return]


async def make_link(client: Client, root: user_pb2.Session, user_id: int) -> pb.OneTimeLink:
    request = pb.CreateResetLinkRequest(id=user_id)
    return await client.public.CreateResetLink(request, metadata=bearer(root.access))  # type: ignore[no-any-return]


def redeem(token: str, password: str = NEW, **fields: str) -> pb.ResetPasswordRequest:
    return pb.ResetPasswordRequest(token=token, new_password=password, **fields)


async def list_actions(client: Client, root: user_pb2.Session, action: str) -> list[tuple[str, str, str]]:
    request = pb.ListAuditEntriesRequest(action=action)
    listed = await client.public.ListAuditEntries(request, metadata=bearer(root.access))
    return [(entry.username, entry.target, entry.outcome) for entry in listed.entries]


async def test_a_reset_link_sets_the_password_once_and_ends_everything(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    made = await client.public.CreateApiToken(
        pb.CreateApiTokenRequest(name="ci"), metadata=bearer(alice.access)
    )
    issued = await make_link(client, root, alice.user.id)
    assert issued.link == f"https://proximity.example.org/api/auth/redeem#{issued.token}"
    assert len(issued.token) >= 43
    assert issued.token not in (await dump_links(client))
    answer = await client.public.ResetPassword(redeem(issued.token))
    assert "alice" in answer.detail
    assert (await refused(sign_in(client, "alice")))[0] == "UNAUTHENTICATED"
    session = await sign_in(client, "alice", NEW)
    [notice] = session.notices
    assert "administrator root" in notice
    assert list((await sign_in(client, "alice", NEW)).notices) == []
    for gone in (alice.access, made.token):
        assert (await refused(client.public.GetCurrentUser(Empty(), metadata=bearer(gone))))[
            0
        ] == "UNAUTHENTICATED"
    code, _ = await refused(client.public.RefreshToken(pb.RefreshTokenRequest(refresh=alice.refresh)))
    assert code == "UNAUTHENTICATED"
    assert (await refused(client.public.ResetPassword(redeem(issued.token, "Third-Horse-99"))))[
        0
    ] == "INVALID_ARGUMENT"
    assert await list_actions(client, root, "auth.CreateResetLink") == [
        ("root", f"user {alice.user.id}", "OK")
    ]
    assert ("alice", "", "OK") in await list_actions(client, root, "auth.ResetPassword")


async def dump_links(client: Client) -> str:
    def read(connection: object) -> str:
        return str([tuple(row) for row in connection.execute(one_time_links.select()).all()])  # type: ignore[attr-defined]

    return await client.auth.runtime.db.read(read)


async def test_a_link_ends_with_a_second_one_and_with_a_change_of_the_password(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    first = await make_link(client, root, alice.user.id)
    second = await make_link(client, root, alice.user.id)
    assert (await refused(client.public.ResetPassword(redeem(first.token))))[0] == "INVALID_ARGUMENT"
    change = pb.ChangePasswordRequest(old_password=PASSWORD, new_password=NEW)
    await client.public.ChangePassword(change, metadata=bearer(alice.access))
    code, error = await refused(client.public.ResetPassword(redeem(second.token, "Third-Horse-99")))
    assert code == "INVALID_ARGUMENT"
    assert "ask for a new link" in str(error.details())
    assert "administrator root made a link" in (await sign_in(client, "alice", NEW)).notices[0]


async def test_a_link_ends_after_an_hour_and_with_the_account(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    issued = await make_link(client, root, alice.user.id)
    assert (
        timedelta(minutes=59)
        < issued.expires_at.ToDatetime() - now().replace(tzinfo=None)
        <= timedelta(hours=1)
    )
    change = one_time_links.update().values(expires_at=now() - timedelta(seconds=1))
    await client.auth.runtime.db.write(lambda connection: connection.execute(change))
    assert (await refused(client.public.ResetPassword(redeem(issued.token))))[0] == "INVALID_ARGUMENT"
    issued = await make_link(client, root, alice.user.id)
    await client.public.UpdateUser(
        pb.UpdateUserRequest(id=alice.user.id, is_active=False), metadata=bearer(root.access)
    )
    assert (await refused(client.public.ResetPassword(redeem(issued.token))))[0] == "INVALID_ARGUMENT"
    assert (await refused(make_link(client, root, alice.user.id)))[0] == "ABORTED"
    await client.public.DeleteUser(pb.DeleteUserRequest(id=alice.user.id), metadata=bearer(root.access))
    assert (await dump_links(client)) == "[]"


async def test_a_refused_password_leaves_the_link_as_it_is(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    issued = await make_link(client, root, alice.user.id)
    for request in (
        redeem(issued.token, "short"),
        redeem(issued.token, username="root"),
        redeem(issued.token, email="x@example.org"),
    ):
        assert (await refused(client.public.ResetPassword(request)))[0] == "INVALID_ARGUMENT"
    await client.public.ResetPassword(redeem(issued.token, username="ALICE"))
    await sign_in(client, "alice", NEW)


async def test_of_two_who_redeem_at_once_one_succeeds(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    issued = await make_link(client, root, alice.user.id)
    tries = [client.public.ResetPassword(redeem(issued.token, f"Parallel-Horse-{n}")) for n in range(4)]
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(each, BaseException) for each in done) == 1


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


async def test_administrators_make_accounts_while_registration_is_closed(tmp_path: Path) -> None:
    named = {"PROXIMITY_ADMIN_USERNAME": "root", "PROXIMITY_ADMIN_PASSWORD": PASSWORD, "DEBUG": "False"}
    async with run(make_settings(tmp_path, **named)) as client:
        root = await sign_in(client, "root")
        assert (await refused(client.register("alice")))[0] == "PERMISSION_DENIED"
        request = pb.CreateUserRequest(username="alice", password=NEW, quota=user_pb2.Quota(cores=3))
        made = await client.public.CreateUser(request, metadata=bearer(root.access))
        assert (made.is_staff, made.quota.cores) == (False, 3)
        await sign_in(client, "alice", NEW)
        without = pb.CreateUserRequest(username="bob", is_staff=True)
        bob = await client.public.CreateUser(without, metadata=bearer(root.access))
        assert bob.is_staff
        assert (await refused(sign_in(client, "bob", "!")))[0] == "UNAUTHENTICATED"
        issued = await make_link(client, root, bob.id)
        assert issued.link.startswith("/api/auth/redeem#")
        await client.public.ResetPassword(redeem(issued.token))
        assert (await sign_in(client, "bob", NEW)).user.is_staff
        assert (await refused(client.public.CreateUser(request, metadata=bearer(root.access))))[
            0
        ] == "ALREADY_EXISTS"


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
        chief = await sign_in(client, name, NEW)
        invitation = pb.CreateInvitationRequest(is_staff=True)
        issued = await client.public.CreateInvitation(invitation, metadata=bearer(chief.access))
        reset = await make_link(client, chief, alice.user.id)
        end = client.public.DeleteUser if number == 2 else client.public.UpdateUser
        await end(ending, metadata=bearer(root.access))
        for token, username in ((issued.token, "eve"), (reset.token, "")):
            answer = await refused(client.public.ResetPassword(redeem(token, username=username)))
            assert answer[0] == "INVALID_ARGUMENT"
    issued = await make_link(client, root, alice.user.id)
    promotion = pb.UpdateUserRequest(id=alice.user.id, is_staff=True)
    await client.public.UpdateUser(promotion, metadata=bearer(root.access))
    assert (await refused(client.public.ResetPassword(redeem(issued.token))))[0] == "INVALID_ARGUMENT"


async def test_an_invitation_makes_one_account(tmp_path: Path) -> None:
    async with run(make_settings(tmp_path, ALLOW_REGISTRATION="False", DEBUG="False")) as client:
        await make_root(tmp_path)
        root = await sign_in(client, "root", NEW)
        issued = await client.public.CreateInvitation(
            pb.CreateInvitationRequest(), metadata=bearer(root.access)
        )
        code, error = await refused(client.public.ResetPassword(redeem(issued.token)))
        assert (code, "username" in str(error.details())) == ("INVALID_ARGUMENT", True)
        assert (await refused(client.public.ResetPassword(redeem(issued.token, username="ROOT"))))[
            0
        ] == "ALREADY_EXISTS"
        await client.public.ResetPassword(redeem(issued.token, username="carol", email="c@example.org"))
        carol = await sign_in(client, "carol", NEW)
        assert (carol.user.is_staff, carol.user.email) == (False, "c@example.org")
        assert (await refused(client.public.ResetPassword(redeem(issued.token, username="dave"))))[
            0
        ] == "INVALID_ARGUMENT"
        invitation = pb.CreateInvitationRequest(is_staff=True)
        issued = await client.public.CreateInvitation(invitation, metadata=bearer(root.access))
        await client.public.ResetPassword(redeem(issued.token, username="dave"))
        assert (await sign_in(client, "dave", NEW)).user.is_staff


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


async def test_the_apps_of_a_deleted_user_go_to_another_active_one(client: Client) -> None:
    root, alice = await client.register("root"), await client.register("alice")
    for heir in (alice.user.id, 99_999):
        request = pb.DeleteUserRequest(id=alice.user.id, apps_to=heir)
        code, error = await refused(client.public.DeleteUser(request, metadata=bearer(root.access)))
        assert (code, "apps_to" in str(error.details())) == ("INVALID_ARGUMENT", True)
    request = pb.DeleteUserRequest(id=alice.user.id, apps_to=root.user.id)
    await client.public.DeleteUser(request, metadata=bearer(root.access))
    rows = await client.auth.runtime.db.read(lambda connection: connection.execute(outbox.select()).all())
    events = [events_pb2.UserDeactivated.FromString(bytes(row.payload)) for row in rows]
    assert [(event.user_id, event.deleted, event.apps_to) for event in events] == [
        (alice.user.id, True, root.user.id)
    ]


@pytest.mark.parametrize("name", ["\u0430dmin", "\u0251dmin", "\u03b1DMIN", "adm\u0456n", "ADM\u0131N"])
async def test_a_name_that_looks_like_another_one_is_refused(client: Client, name: str) -> None:
    await client.register("admin")
    code, error = await refused(client.register(name))
    assert (code, "looks like 'admin'" in str(error.details())) == ("ALREADY_EXISTS", True)


async def test_names_of_accounts_without_the_column_are_compared_too(client: Client) -> None:
    await client.register("\u0430dmin")
    change = users.update().values(username_skeleton=None)
    await client.auth.runtime.db.write(lambda connection: connection.execute(change))
    assert (await refused(client.register("admin")))[0] == "ALREADY_EXISTS"
    await client.register("\u0432\u043b\u0430\u0434\u0438\u043c\u0438\u0440")


def run_command(tmp_path: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """A command of auth with the database alone: no key, no secret."""
    return subprocess.run(
        [sys.executable, "-m", "services.auth", *arguments],
        env={"DATABASE_URL": f"sqlite:///{tmp_path}/p.sqlite3", "PATH": "/usr/bin"},
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )


async def make_root(tmp_path: Path) -> None:
    done = await asyncio.to_thread(run_command, tmp_path, "create-admin", "root", typed=f"{NEW}\n")
    assert done.returncode == 0, done.stderr


async def test_the_server_makes_an_administrator_by_a_link(tmp_path: Path) -> None:
    done = await asyncio.to_thread(run_command, tmp_path, "create-admin")
    assert done.returncode == 0, done.stderr
    token = done.stdout.strip().partition("#")[2]
    async with run(make_settings(tmp_path, DEBUG="False")) as client:
        assert token
        await client.public.ResetPassword(redeem(token, username="root"))
        root = await sign_in(client, "root", NEW)
        assert root.user.is_staff
        assert await list_actions(client, root, "auth.CreateInvitation") == [
            ("(server)", "administrator", "OK")
        ]
        assert await client.auth.stores.audit.verify() > 2


async def is_signed_in(client: Client, session: user_pb2.Session) -> bool:
    try:
        await client.public.GetCurrentUser(Empty(), metadata=bearer(session.access))
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.UNAUTHENTICATED:
            return False
        raise
    return True


async def test_the_server_resets_a_password_while_auth_runs(tmp_path: Path) -> None:
    async with run(make_settings(tmp_path), messaging=True) as client:
        root = await client.register("root")
        done = await asyncio.to_thread(run_command, tmp_path, "reset-password", "ROOT")
        assert done.returncode == 0, done.stderr
        await client.public.ResetPassword(redeem(done.stdout.strip().partition("#")[2]))
        again = await sign_in(client, "root", NEW)
        assert "a command on the server" in again.notices[0]
        done = await asyncio.to_thread(
            run_command, tmp_path, "reset-password", "root", "--password", typed="Third-Horse-99\n"
        )
        assert done.returncode == 0, done.stderr
        async with asyncio.timeout(20):
            while await is_signed_in(client, again):  # noqa: ASYNC110 - the service reads from its database
                await asyncio.sleep(0.05)
        await sign_in(client, "root", "Third-Horse-99")
        assert root.user.is_staff


def test_a_command_says_what_is_wrong(tmp_path: Path) -> None:
    done = run_command(tmp_path, "reset-password", "nobody")
    assert (done.returncode, "there is no user 'nobody'" in done.stderr) == (1, True)
    done = run_command(tmp_path, "create-admin", "root", typed="short\n")
    assert (done.returncode, "too short" in done.stderr) == (1, True)
    done = run_command(tmp_path, "create-admin", "a b", typed=f"{NEW}\n")
    assert (done.returncode, "'a b' is not" in done.stderr) == (1, True)
    done = run_command(tmp_path / "elsewhere", "create-admin")
    assert (done.returncode, "there is no database" in done.stderr) == (2, True)
    assert not (tmp_path / "elsewhere").exists()
