"""The administrator that the settings name."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2 as pb

from services.common.core.config import ConfigError
from tests.fakes.auth_server import PASSWORD, make_settings, run


async def test_the_first_administrator_comes_from_the_settings_once(state: Path) -> None:
    named = {"PROXIMITY_ADMIN_USERNAME": "root", "PROXIMITY_ADMIN_PASSWORD": PASSWORD}
    for password in (PASSWORD, "Another-Horse-9"):
        settings = make_settings(state, **named | {"PROXIMITY_ADMIN_PASSWORD": password})
        async with run(settings) as client:
            session = await client.public.Login(pb.LoginRequest(username="root", password=PASSWORD))
            assert session.user.is_staff
    with pytest.raises(ConfigError, match="too common"):
        make_settings(state, **named | {"PROXIMITY_ADMIN_PASSWORD": "admin123", "DEBUG": "False"})


async def test_a_stranger_with_the_name_of_the_first_administrator_is_not_promoted(state: Path) -> None:
    production = {"DEBUG": "False"}
    async with run(make_settings(state, **production)) as client:
        await client.register("root")
    named = {"PROXIMITY_ADMIN_USERNAME": "Root", "PROXIMITY_ADMIN_PASSWORD": "Another-Horse-9"}
    async with run(make_settings(state, **production, **named)) as client:
        session = await client.public.Login(pb.LoginRequest(username="root", password=PASSWORD))
        assert not session.user.is_staff
        assert (await client.public.GetSetup(Empty())).needs_admin
