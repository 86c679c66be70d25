"""Registration: the first user, refused fields, names that look alike, and closed registration."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb

from services.auth.store.tables import users
from tests.fakes.auth_server import PASSWORD, Client, bearer, list_violations, make_settings, refused, run


async def test_the_first_user_is_administrator_and_the_second_is_not(client: Client) -> None:
    first, second = await client.register("root"), await client.register("alice")
    assert (first.user.is_staff, second.user.is_staff) == (True, False)
    me = await client.public.GetCurrentUser(Empty(), metadata=bearer(second.access))
    assert (me.username, me.pk, me.preferred_theme) == ("alice", second.user.id, "rack_proximity")
    assert await client.public.VerifyToken(pb.VerifyTokenRequest(token=second.access)) == Empty()
    code, _ = await refused(client.public.ListUsers(pb.ListUsersRequest(), metadata=bearer(second.access)))
    assert code == "PERMISSION_DENIED"


async def test_every_fault_of_a_registration_is_named(client: Client) -> None:
    request = pb.RegisterUserRequest(username="alice", password1="1234567", password2="other")
    code, error = await refused(client.public.RegisterUser(request))
    assert code == "INVALID_ARGUMENT"
    assert list_violations(error) == ["password1"] * 2 + ["password2"]
    blank = pb.RegisterUserRequest(username="alice", password="correct horse 9", first_name="\u3000")
    assert list_violations((await refused(client.public.RegisterUser(blank)))[1]) == ["first_name"]


@pytest.mark.parametrize("name", ["\u0430dmin", "\u0251dmin", "\u03b1DMIN", "adm\u0456n", "ADM\u0131N"])
async def test_a_name_that_looks_like_another_one_is_refused(client: Client, name: str) -> None:
    await client.register("admin")
    code, error = await refused(client.register(name))
    assert (code, "looks like 'admin'" in str(error.details())) == ("ALREADY_EXISTS", True)


async def test_names_of_accounts_without_the_column_are_compared_too(client: Client) -> None:
    await client.register("\u0430dmin")
    change = users.update().values(username_skeleton=None)
    await client.write(change)
    assert (await refused(client.register("admin")))[0] == "ALREADY_EXISTS"
    await client.register("\u0432\u043b\u0430\u0434\u0438\u043c\u0438\u0440")


async def test_registration_can_be_closed(state: Path) -> None:
    async with run(make_settings(state, ALLOW_REGISTRATION="False")) as client:
        assert (await refused(client.register("root")))[0] == "PERMISSION_DENIED"


async def test_in_production_nobody_becomes_administrator_by_registering(state: Path) -> None:
    production = {"DEBUG": "False"}
    async with run(make_settings(state, **production)) as client:
        setup = await client.public.GetSetup(Empty())
        assert (setup.needs_admin, setup.registration_open) == (True, True)
        assert not (await client.register("stranger")).user.is_staff
        assert (await client.public.GetSetup(Empty())).needs_admin
    named = {"PROXIMITY_ADMIN_USERNAME": "root", "PROXIMITY_ADMIN_PASSWORD": PASSWORD}
    async with run(make_settings(state, **production, **named)) as client:
        session = await client.public.Login(pb.LoginRequest(username="root", password=PASSWORD))
        assert session.user.is_staff
        setup = await client.public.GetSetup(Empty())
        assert (setup.needs_admin, setup.registration_open) == (False, False)
        assert setup.password_rules.min_length == 8
        assert (await refused(client.register("alice")))[0] == "PERMISSION_DENIED"


async def test_registrations_from_one_address_are_limited(state: Path) -> None:
    async with run(make_settings(state, REGISTRATIONS_PER_ADDRESS="2")) as client:
        for name in ("root", "alice", "bob"):
            await client.register(name)
        assert (await refused(client.register("carol")))[0] == "RESOURCE_EXHAUSTED"


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
    state: Path, changes: dict[str, str], is_open: bool
) -> None:
    assert make_settings(state, **changes).registration_policy.admits(has_admin=True) is is_open
