"""What API tokens may make, and when they end: with their maker, and with the password."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from google.protobuf.empty_pb2 import Empty
from google.protobuf.timestamp_pb2 import Timestamp
from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import user_pb2

from services.common.core.clock import now
from tests.fakes.auth_server import PASSWORD, Client, bearer, make_settings, refused, run
from tests.store.auth_db import sqlite_file

__all__ = ["sqlite_file"]

NEW = "Another-Horse-77"


@pytest.fixture(autouse=True)
def database(sqlite_file: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_file, tmp_path)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with run(make_settings(tmp_path)) as running:
        yield running


def name_time(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message


async def make(
    client: Client, credentials: str, name: str, *scopes: str, days: float | None = None
) -> user_pb2.ApiToken:
    request = pb.CreateApiTokenRequest(name=name, scopes=scopes)
    if days is not None:
        request.expires_at.CopyFrom(name_time(now() + timedelta(days=days)))
    made = await client.public.CreateApiToken(request, metadata=bearer(credentials))
    assert isinstance(made, user_pb2.ApiToken)
    return made


async def is_valid(client: Client, token: str) -> bool:
    """Whether a token counts, also for services that ask."""
    call = client.public.GetCurrentUser(Empty(), metadata=bearer(token))
    try:
        await call
    except Exception:  # noqa: BLE001 - whatever refuses it
        return False
    return True


async def test_an_api_token_makes_none_that_lives_longer(client: Client) -> None:
    session = await client.register("root")
    week = await make(client, session.access, "week", "read", "write", days=7)
    code, error = await refused(make(client, week.token, "year", "write", days=365))
    assert code == "INVALID_ARGUMENT"
    assert "expires_at" in str(error.details())
    heir = await make(client, week.token, "heir", "write")
    assert heir.expires_at == week.expires_at
    assert (
        await make(client, week.token, "day", "write", days=1)
    ).expires_at.seconds < week.expires_at.seconds


@pytest.mark.parametrize(
    ("own", "wanted", "is_allowed"),
    [
        (("write",), ("read",), True),  # a token that may write may read
        (("write",), ("write",), True),
        (("write",), ("admin",), False),
        (("write",), ("write", "admin"), False),
        (("read", "write"), ("read", "write"), True),
    ],
)
async def test_an_api_token_makes_none_that_may_do_more(
    client: Client, own: tuple[str, ...], wanted: tuple[str, ...], is_allowed: bool
) -> None:
    session = await client.register("root")
    token = await make(client, session.access, "own", *own)
    call = make(client, token.token, "made", *wanted)
    if is_allowed:
        assert tuple((await call).scopes) == wanted
    else:
        assert (await refused(call))[0] == "PERMISSION_DENIED"


async def test_what_an_api_token_made_ends_with_it(client: Client) -> None:
    session = await client.register("root")
    first = await make(client, session.access, "first", "write")
    child = await make(client, first.token, "child", "write")
    grandchild = await make(client, child.token, "grandchild", "write")
    other = await make(client, session.access, "other", "write")
    assert await is_valid(client, grandchild.token)
    request = pb.DeleteApiTokenRequest(id=first.id)
    await client.public.DeleteApiToken(request, metadata=bearer(session.access))
    for token in (first, child, grandchild):
        assert not await is_valid(client, token.token)
    assert await is_valid(client, other.token)


@pytest.mark.parametrize("keep", [False, True])
async def test_a_new_password_ends_api_tokens_unless_they_are_to_go_on(client: Client, keep: bool) -> None:
    session, other = await client.register("root"), await client.register("alice")
    mine = await make(client, session.access, "ci", "read", "write")
    theirs = await make(client, other.access, "ci", "read")
    assert await is_valid(client, mine.token)
    request = pb.ChangePasswordRequest(old_password=PASSWORD, new_password=NEW, keep_api_tokens=keep)
    await client.public.ChangePassword(request, metadata=bearer(session.access))
    assert await is_valid(client, mine.token) is keep
    assert await is_valid(client, theirs.token)
    assert await is_valid(client, session.access)
