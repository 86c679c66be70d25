"""auth as its callers see it: the real gRPC server on SQLite, with NATS for what others have to learn."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import jwt
import pytest
from google.protobuf.empty_pb2 import Empty
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import events_pb2

from services.auth.domain.credentials import REPETITION_TTL
from services.auth.domain.entities import Page
from services.auth.handlers.direct_audit import DirectAudit
from services.auth.store.tables import refresh_tokens
from services.common.core.clock import now
from services.common.core.config import ConfigError
from services.common.core.timestamps import render_time
from services.common.identity.service_keys import ServiceSigner, read_service_keys
from services.common.identity.tokens import Caller, Revocations
from services.common.identity.tokens import User as TokenUser
from services.common.messaging.bus import Bus
from services.common.messaging.outbox import new_message
from services.common.messaging.revocation_feed import watch_revocations
from services.common.messaging.streams import AUDIT_RECORDED
from services.common.rpc.call import Call
from tests.fakes.auth_server import PASSWORD, Client, bearer, make_settings, read_cookies, refused, run
from tests.store.auth_db import sqlite_file
from tests.store.nats_server import nats

__all__ = ["nats", "sqlite_file"]

CHANGES = ("UpdateCurrentUser", "CreateApiToken", "DeleteApiToken", "ChangePassword", "Login", "RefreshToken")


@pytest.fixture(autouse=True)
def database(sqlite_file: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_file, tmp_path)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with run(make_settings(tmp_path)) as running:
        yield running


async def test_the_first_user_is_administrator_and_the_second_is_not(client: Client) -> None:
    first, second = await client.register("root"), await client.register("alice")
    assert (first.user.is_staff, second.user.is_staff) == (True, False)
    me = await client.public.GetCurrentUser(Empty(), metadata=bearer(second.access))
    assert (me.username, me.pk, me.preferred_theme) == ("alice", second.user.id, "rack_proximity")
    assert await client.public.VerifyToken(pb.VerifyTokenRequest(token=second.access)) == Empty()
    code, _ = await refused(client.public.ListUsers(pb.ListUsersRequest(), metadata=bearer(second.access)))
    assert code == "PERMISSION_DENIED"


async def test_an_access_token_says_what_every_service_verifies(client: Client) -> None:
    session = await client.register("root")
    jwks = await client.public.GetJwks(Empty())
    header = jwt.get_unverified_header(session.access)
    assert (header["alg"], header["kid"]) == ("EdDSA", jwks.keys[0].kid)
    key = jwt.PyJWK({"kty": "OKP", "crv": "Ed25519", "x": jwks.keys[0].x, "alg": "EdDSA"})
    claims = jwt.decode(session.access, key, algorithms=["EdDSA"], audience="proximity", issuer="proximity")
    assert claims["exp"] - claims["iat"] == session.expires_in == 3600
    assert (claims["sub"], claims["name"], claims["staff"], claims["typ"]) == ("1", "root", True, "access")


async def test_every_fault_of_a_registration_is_named(client: Client) -> None:
    request = pb.RegisterUserRequest(username="alice", password1="1234567", password2="other")
    code, error = await refused(client.public.RegisterUser(request))
    bad = error_details_pb2.BadRequest()
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None
    assert any(detail.Unpack(bad) for detail in status.details)
    assert code == "INVALID_ARGUMENT"
    assert [item.field for item in bad.field_violations] == ["password1"] * 2 + ["password2"]


async def test_a_wrong_password_and_an_unknown_user_look_the_same(client: Client) -> None:
    await client.register("root")
    seen = set()
    for username in ("root", "nobody"):
        request = pb.LoginRequest(username=username, password="wrong")
        code, error = await refused(client.public.Login(request))
        seen.add((code, error.details()))
    assert len(seen) == 1
    assert seen.pop()[0] == "UNAUTHENTICATED"


async def test_failures_make_the_next_attempt_wait_even_with_the_right_password(client: Client) -> None:
    await client.register("root")
    wrong, right = (pb.LoginRequest(username="Root", password=text) for text in ("wrong", PASSWORD))
    for _ in range(4):
        assert (await refused(client.public.Login(wrong)))[0] == "UNAUTHENTICATED"
    code, error = await refused(client.public.Login(right))
    assert code == "RESOURCE_EXHAUSTED"
    assert int(dict(error.initial_metadata() or ())["retry-after"]) >= 1


async def test_failures_for_many_names_from_one_address_make_it_wait(client: Client) -> None:
    requests = [pb.LoginRequest(username=f"user{number}", password="wrong") for number in range(12)]
    codes = [(await refused(client.public.Login(request)))[0] for request in requests]
    assert codes == ["UNAUTHENTICATED"] * 9 + ["RESOURCE_EXHAUSTED"] * 3


async def test_guesses_sent_at_once_are_limited_like_those_sent_one_by_one(client: Client) -> None:
    await client.register("root")
    requests = [pb.LoginRequest(username="root", password="wrong") for _ in range(20)]
    codes = [code for code, _ in await asyncio.gather(*(refused(client.public.Login(r)) for r in requests))]
    assert codes.count("UNAUTHENTICATED") <= 5


async def test_many_right_sign_ins_at_once_all_succeed(client: Client) -> None:
    await client.register("root")
    request = pb.LoginRequest(username="root", password=PASSWORD)
    sessions = await asyncio.gather(*(client.public.Login(request) for _ in range(20)))
    assert len({session.refresh for session in sessions}) == 20


async def test_a_refresh_token_used_twice_ends_the_session_at_once(client: Client) -> None:
    session = await client.register("root")
    request = pb.RefreshTokenRequest(refresh=session.refresh)
    pair = await client.public.RefreshToken(request)
    await client.public.GetCurrentUser(Empty(), metadata=bearer(pair.access))
    assert (await client.public.RefreshToken(request)).refresh == pair.refresh  # a repetition, as of two tabs
    used = refresh_tokens.update().where(refresh_tokens.c.used_at.is_not(None))
    await client.auth.runtime.db.write(
        lambda connection: connection.execute(used.values(used_at=now() - REPETITION_TTL))
    )
    assert (await refused(client.public.RefreshToken(request)))[0] == "UNAUTHENTICATED"
    for token in (session.access, pair.access):
        assert (await refused(client.public.GetCurrentUser(Empty(), metadata=bearer(token))))[
            0
        ] == "UNAUTHENTICATED"
    again = pb.RefreshTokenRequest(refresh=pair.refresh)
    assert (await refused(client.public.RefreshToken(again)))[0] == "UNAUTHENTICATED"
    swapped = pb.RefreshTokenRequest(refresh=pair.access)
    assert (await refused(client.public.RefreshToken(swapped)))[0] == "UNAUTHENTICATED"


async def test_cookies_refresh_and_sign_out_only_with_the_csrf_token(client: Client) -> None:
    call = client.public.RegisterUser(pb.RegisterUserRequest(username="root", password=PASSWORD))
    await call
    jar = await read_cookies(call)
    cookie = ("cookie", "; ".join(f"{name}={value}" for name, value in jar.items()))
    for rpc, request in (
        (client.public.RefreshToken, pb.RefreshTokenRequest()),
        (client.public.Logout, pb.LogoutRequest()),
    ):
        assert (await refused(rpc(request, metadata=(cookie,))))[0] == "PERMISSION_DENIED"
    csrf = ("x-csrftoken", jar["csrftoken"])
    refreshed = client.public.RefreshToken(pb.RefreshTokenRequest(), metadata=(cookie, csrf))
    await refreshed
    jar |= await read_cookies(refreshed)
    cookie = ("cookie", "; ".join(f"{name}={value}" for name, value in jar.items()))
    left = client.public.Logout(pb.LogoutRequest(), metadata=(cookie, csrf))
    await left
    assert set((await read_cookies(left)).values()) == {""}
    assert (await refused(client.public.GetCurrentUser(Empty(), metadata=(cookie,))))[0] == "UNAUTHENTICATED"
    late = pb.RefreshTokenRequest(refresh=jar["proximity-refresh-cookie"])
    assert (await refused(client.public.RefreshToken(late)))[0] == "UNAUTHENTICATED"


async def test_a_page_that_is_not_signed_in_gets_a_csrf_token(client: Client) -> None:
    code, error = await refused(client.public.GetCurrentUser(Empty()))
    assert code == "UNAUTHENTICATED"
    assert str(dict(error.initial_metadata() or ())["set-cookie"]).startswith("csrftoken=")


async def test_a_new_password_ends_the_other_sessions_and_not_this_one(client: Client) -> None:
    mine = await client.register("root")
    login = pb.LoginRequest(username="root", password=PASSWORD)
    other = await client.public.Login(login)
    change = pb.ChangePasswordRequest(old_password=PASSWORD, new_password="Zebra-Quilt-77")
    wrong = pb.ChangePasswordRequest(old_password="wrong", new_password="Zebra-Quilt-77")
    weak = pb.ChangePasswordRequest(old_password=PASSWORD, new_password="password")
    for request in (wrong, weak):
        call = client.public.ChangePassword(request, metadata=bearer(mine.access))
        assert (await refused(call))[0] == "INVALID_ARGUMENT"
    await client.public.ChangePassword(change, metadata=bearer(mine.access))
    await client.public.GetCurrentUser(Empty(), metadata=bearer(mine.access))
    assert (await refused(client.public.GetCurrentUser(Empty(), metadata=bearer(other.access))))[
        0
    ] == "UNAUTHENTICATED"
    assert (await refused(client.public.Login(login)))[0] == "UNAUTHENTICATED"


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


async def test_an_api_token_may_what_its_scopes_say_and_no_more(client: Client) -> None:
    root = await client.register("root")
    made = pb.CreateApiTokenRequest(name="ci")
    token = await client.public.CreateApiToken(made, metadata=bearer(root.access))
    shown = await client.public.ListApiTokens(Empty(), metadata=bearer(token.token))
    assert (shown.total, shown.tokens[0].HasField("token"), list(shown.tokens[0].scopes)) == (
        1,
        False,
        ["read"],
    )
    for call in (
        client.public.CreateApiToken(pb.CreateApiTokenRequest(name="x"), metadata=bearer(token.token)),
        client.public.ListUsers(pb.ListUsersRequest(), metadata=bearer(token.token)),
    ):
        assert (await refused(call))[0] == "PERMISSION_DENIED"
    writer = pb.CreateApiTokenRequest(name="writer", scopes=["write"])
    write = await client.public.CreateApiToken(writer, metadata=bearer(root.access))
    wider = pb.CreateApiTokenRequest(name="wider", scopes=["admin"])
    assert (await refused(client.public.CreateApiToken(wider, metadata=bearer(write.token))))[
        0
    ] == "PERMISSION_DENIED"
    await client.public.DeleteApiToken(pb.DeleteApiTokenRequest(id=token.id), metadata=bearer(root.access))
    assert (await refused(client.public.ListApiTokens(Empty(), metadata=bearer(token.token))))[
        0
    ] == "UNAUTHENTICATED"


async def test_an_ordinary_user_makes_no_admin_token_and_none_that_ends_in_the_past(client: Client) -> None:
    await client.register("root")
    alice = await client.register("alice")
    admin = pb.CreateApiTokenRequest(name="x", scopes=["admin"])
    assert (await refused(client.public.CreateApiToken(admin, metadata=bearer(alice.access))))[
        0
    ] == "PERMISSION_DENIED"
    past = pb.CreateApiTokenRequest(name="x")
    past.expires_at.FromSeconds(1)
    assert (await refused(client.public.CreateApiToken(past, metadata=bearer(alice.access))))[
        0
    ] == "INVALID_ARGUMENT"


async def test_services_and_nobody_else_ask_the_internal_questions(client: Client, tmp_path: Path) -> None:
    root = await client.register("root")
    private, _ = read_service_keys(tmp_path / "keys", "apps")
    metadata = bearer(ServiceSigner("apps", private).sign("auth"))
    found = await client.internal.FindUser(pb.FindUserRequest(username="ROOT"), metadata=metadata)
    assert found.id == root.user.id
    missing = pb.FindUserRequest(id=99)
    assert (await refused(client.internal.FindUser(missing, metadata=metadata)))[0] == "NOT_FOUND"
    created = pb.CreateApiTokenRequest(name="ci", scopes=["read", "write"])
    token = await client.public.CreateApiToken(created, metadata=bearer(root.access))
    question = pb.AuthenticateApiTokenRequest(token=token.token)
    answer = await client.internal.AuthenticateApiToken(question, metadata=metadata)
    assert (answer.username, list(answer.scopes), answer.token_id) == ("root", ["read", "write"], token.id)
    for credentials in (bearer(root.access), ()):
        code, _ = await refused(client.internal.AuthenticateApiToken(question, metadata=credentials))
        assert code in {"PERMISSION_DENIED", "UNAUTHENTICATED"}


class Dying(DirectAudit):
    """As when the process dies between the change and the end of its call."""

    async def record(self, call: Call, *, action: str, outcome: str) -> None:
        """Never comes to it."""


async def test_what_a_call_changes_and_its_audit_entry_commit_together(tmp_path: Path) -> None:
    async with run(make_settings(tmp_path), audit=Dying) as client:
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
        fresh = await client.public.RefreshToken(pb.RefreshTokenRequest(refresh=alice.refresh))
        await refused(client.public.RefreshToken(pb.RefreshTokenRequest(refresh="unknown")))
        await client.public.Logout(pb.LogoutRequest(refresh=fresh.refresh))
        quota = pb.UpdateUserRequest(id=alice.user.id, is_staff=True)
        await client.public.UpdateUser(quota, **as_root)
        await client.public.DeleteUser(pb.DeleteUserRequest(id=alice.user.id), **as_root)
        entries, _ = await client.auth.stores.audit.list_entries("", "", Page(1, 100))
        assert [(one.action.partition(".")[2], one.username, one.outcome) for one in reversed(entries)] == [
            ("RegisterUser", "root", "OK"),
            ("RegisterUser", "alice", "OK"),
            *((name, "alice", "OK") for name in CHANGES),
            ("Logout", "", "OK"),
            ("UpdateUser", "root", "OK"),
            ("DeleteUser", "root", "OK"),
        ]
        await client.auth.stores.audit.verify()


async def test_sign_ins_and_changes_are_in_the_audit_log(client: Client) -> None:
    root = await client.register("root")
    await refused(client.public.Login(pb.LoginRequest(username="root", password="wrong")))
    request = pb.ListAuditEntriesRequest(action="auth.Login")
    listed = await client.public.ListAuditEntries(request, metadata=bearer(root.access))
    assert [(entry.outcome, entry.target) for entry in listed.entries] == [("UNAUTHENTICATED", "user root")]
    request = pb.ListAuditEntriesRequest(user="root")
    listed = await client.public.ListAuditEntries(request, metadata=bearer(root.access))
    assert [entry.action for entry in listed.entries] == ["auth.RegisterUser"]
    assert await client.auth.stores.audit.verify() == 2


async def test_registration_can_be_closed(tmp_path: Path) -> None:
    async with run(make_settings(tmp_path, ALLOW_REGISTRATION="False")) as client:
        assert (await refused(client.register("root")))[0] == "PERMISSION_DENIED"


async def test_the_first_administrator_comes_from_the_settings_once(tmp_path: Path) -> None:
    named = {"PROXIMITY_ADMIN_USERNAME": "root", "PROXIMITY_ADMIN_PASSWORD": PASSWORD}
    for password in (PASSWORD, "Another-Horse-9"):
        settings = make_settings(tmp_path, **named | {"PROXIMITY_ADMIN_PASSWORD": password})
        async with run(settings) as client:
            session = await client.public.Login(pb.LoginRequest(username="root", password=PASSWORD))
            assert session.user.is_staff
    with pytest.raises(ConfigError, match="too common"):
        make_settings(tmp_path, **named | {"PROXIMITY_ADMIN_PASSWORD": "admin123", "DEBUG": "False"})


async def test_in_production_nobody_becomes_administrator_by_registering(tmp_path: Path) -> None:
    production = {"DEBUG": "False"}
    async with run(make_settings(tmp_path, **production)) as client:
        setup = await client.public.GetSetup(Empty())
        assert (setup.needs_admin, setup.registration_open) == (True, True)
        assert not (await client.register("stranger")).user.is_staff
        assert (await client.public.GetSetup(Empty())).needs_admin
    named = {"PROXIMITY_ADMIN_USERNAME": "root", "PROXIMITY_ADMIN_PASSWORD": PASSWORD}
    async with run(make_settings(tmp_path, **production, **named)) as client:
        session = await client.public.Login(pb.LoginRequest(username="root", password=PASSWORD))
        assert session.user.is_staff
        setup = await client.public.GetSetup(Empty())
        assert (setup.needs_admin, setup.registration_open) == (False, False)
        assert setup.password_rules.min_length == 8
        assert (await refused(client.register("alice")))[0] == "PERMISSION_DENIED"


async def test_a_stranger_with_the_name_of_the_first_administrator_is_not_promoted(tmp_path: Path) -> None:
    production = {"DEBUG": "False"}
    async with run(make_settings(tmp_path, **production)) as client:
        await client.register("root")
    named = {"PROXIMITY_ADMIN_USERNAME": "Root", "PROXIMITY_ADMIN_PASSWORD": "Another-Horse-9"}
    async with run(make_settings(tmp_path, **production, **named)) as client:
        session = await client.public.Login(pb.LoginRequest(username="root", password=PASSWORD))
        assert not session.user.is_staff
        assert (await client.public.GetSetup(Empty())).needs_admin


@pytest.mark.parametrize(
    ("changes", "is_open"),
    [
        ({"DEBUG": "False"}, False),
        ({"DEBUG": "False", "USE_MOCK_PROXMOX": "1"}, True),
        ({"DEBUG": "False", "USE_MOCK_PROXMOX": "1", "PROXMOX_HOST": "127.0.0.1"}, True),
        ({"DEBUG": "False", "ALLOW_REGISTRATION": "True"}, True),
        ({"PROXMOX_HOST": "192.0.2.1"}, False),
        ({"PROXMOX_HOST": "192.0.2.1", "ALLOW_REGISTRATION": "True"}, True),
        ({"ALLOW_REGISTRATION": "False", "USE_MOCK_PROXMOX": "1"}, False),
        ({}, True),
    ],
)
def test_with_an_administrator_registration_is_closed_unless_it_is_simulated_or_opened(
    tmp_path: Path, changes: dict[str, str], is_open: bool
) -> None:
    assert make_settings(tmp_path, **changes).registration_policy.admits(has_admin=True) is is_open


async def test_other_services_learn_of_a_revocation_within_a_second(tmp_path: Path, nats: str) -> None:
    async with run(make_settings(tmp_path, NATS_URL=nats), messaging=True) as client:
        other, known = Bus(nats, name="other"), Revocations()
        other.start()
        watching = asyncio.ensure_future(watch_revocations(other, known))
        assert await client.auth.runtime.bus.wait_connected(timeout=20)
        assert await other.wait_connected(timeout=20)
        session = await client.register("root")
        claims = jwt.decode(session.access, options={"verify_signature": False})
        caller = Caller(TokenUser(1, "root", True), session=claims["sid"], issued_at=claims["iat"])  # noqa: FBT003 - it is is_staff
        await client.public.Logout(pb.LogoutRequest(refresh=session.refresh))
        async with asyncio.timeout(5):
            while not known.is_revoked(caller):  # noqa: ASYNC110 - NATS decides when
                await asyncio.sleep(0.01)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await other.close()


async def test_what_other_services_report_is_chained_once(tmp_path: Path, nats: str) -> None:
    async with run(make_settings(tmp_path, NATS_URL=nats), messaging=True) as client:
        bus = Bus(nats, name="apps")  # which reports under its own name
        bus.start()
        assert await bus.wait_connected(timeout=20)
        record = events_pb2.AuditRecorded(
            id=secrets.token_hex(8),
            timestamp=render_time(now()),
            username="root",
            action="apps.DeployApp",
            target="app web",
            address="192.0.2.1",
            outcome="OK",
        )
        for _ in range(2):
            await bus.publish(new_message(AUDIT_RECORDED, record))
        root = await client.register("root")
        request = pb.ListAuditEntriesRequest(action="apps.DeployApp")
        async with asyncio.timeout(10):
            while not (await client.public.ListAuditEntries(request, metadata=bearer(root.access))).total:  # noqa: ASYNC110 - NATS decides when
                await asyncio.sleep(0.02)
        await client.auth.stores.audit.verify()
        assert (await client.public.ListAuditEntries(request, metadata=bearer(root.access))).total == 1
        await bus.close()
