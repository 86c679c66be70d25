"""The state of an installation as somebody without an account sees it."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.empty_pb2 import Empty

from services.auth.store.tables import users
from tests.fakes.auth_server import Client, make_settings, run


async def test_a_new_installation_needs_an_administrator_and_says_the_rules_of_passwords(
    client: Client,
) -> None:
    setup = await client.public.GetSetup(Empty())
    assert (setup.needs_admin, setup.registration_open) == (True, True)
    rules = setup.password_rules
    assert (rules.min_length, rules.max_length) == (8, 1024)
    assert "not a common password" in list(rules.descriptions)
    await client.register("root")
    assert not (await client.public.GetSetup(Empty())).needs_admin


async def test_a_deactivated_administrator_does_not_count(client: Client) -> None:
    await client.register("root")
    await client.write(users.update().values(is_active=False))
    assert (await client.public.GetSetup(Empty())).needs_admin


async def test_closed_registration_is_shown_even_where_an_administrator_is_needed(state: Path) -> None:
    async with run(make_settings(state, ALLOW_REGISTRATION="False")) as client:
        setup = await client.public.GetSetup(Empty())
        assert (setup.needs_admin, setup.registration_open) == (True, False)
