"""Calls that need a recent sign-in: what a session proves, when it must prove it again, and how."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
from google.protobuf.empty_pb2 import Empty
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from proximity.auth.v1 import auth_service_pb2 as pb

from services.auth.store.tables import sessions
from services.common.core.clock import now
from tests.fakes.auth_server import PASSWORD, Client, bearer, make_settings, read_cookies, refused, run
from tests.store.auth_db import sqlite_file

__all__ = ["sqlite_file"]

STEP_UP = pb.StepUpRequest(password=PASSWORD)


@pytest.fixture(autouse=True)
def database(sqlite_file: Path, tmp_path: Path) -> None:
    shutil.copy(sqlite_file, tmp_path)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with run(make_settings(tmp_path)) as running:
        yield running


def read_claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def find_reason(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    info = error_details_pb2.ErrorInfo()
    assert status is not None
    assert any(detail.Unpack(info) for detail in status.details)
    return info


async def age(client: Client, **duration: float) -> None:
    """Move every sign-in into the past."""
    moment = now() - timedelta(**duration)
    await client.auth.runtime.db.write(
        lambda connection: connection.execute(sessions.update().values(authenticated_at=moment))
    )


async def refresh(client: Client, token: str) -> Any:
    return await client.public.RefreshToken(pb.RefreshTokenRequest(refresh=token))


async def test_a_session_right_from_the_sign_in_is_recent(client: Client) -> None:
    session = await client.register("root")
    claims = read_claims(session.access)
    assert claims["amr"] == ["pwd"]
    assert claims["iat"] - 5 <= claims["auth_time"] <= claims["iat"]
    made = await client.public.CreateApiToken(
        pb.CreateApiTokenRequest(name="ci"), metadata=bearer(session.access)
    )
    assert made.token.startswith("prx_")


async def test_a_refreshed_token_has_the_time_of_the_sign_in(client: Client) -> None:
    session = await client.register("root")
    await age(client, minutes=11)
    pair = await refresh(client, session.refresh)
    claims = read_claims(pair.access)
    assert claims["iat"] - claims["auth_time"] >= 600
    call = client.public.CreateApiToken(pb.CreateApiTokenRequest(name="ci"), metadata=bearer(pair.access))
    code, error = await refused(call)
    assert code == "UNAUTHENTICATED"
    info = find_reason(error)
    assert info.reason == "STEP_UP_REQUIRED"
    assert dict(info.metadata) == {"methods": "password", "path": "/api/auth/step-up", "max_age": "600"}
    challenge = dict(error.initial_metadata() or ())["www-authenticate"]
    assert challenge == 'Bearer error="insufficient_user_authentication", max_age=600'
    me = await client.public.ListApiTokens(Empty(), metadata=bearer(pair.access))
    assert me.total == 0


async def test_a_step_up_gives_a_fresh_token_of_the_same_session(client: Client) -> None:
    session = await client.register("root")
    await age(client, minutes=11)
    pair = await refresh(client, session.refresh)
    answer = await client.public.StepUp(STEP_UP, metadata=bearer(pair.access))
    old, new = read_claims(pair.access), read_claims(answer.access)
    assert (new["sid"], answer.expires_in) == (old["sid"], 3600)
    assert new["auth_time"] - old["auth_time"] >= 600
    await client.public.CreateApiToken(pb.CreateApiTokenRequest(name="ci"), metadata=bearer(answer.access))
    again = await refresh(client, pair.refresh)
    assert read_claims(again.access)["auth_time"] == new["auth_time"]


async def test_only_a_browser_with_the_cookie_gets_the_fresh_token_as_cookie(client: Client) -> None:
    session = await client.register("root")
    call = client.public.StepUp(STEP_UP, metadata=bearer(session.access))
    await call
    assert await read_cookies(call) == {}
    cookie = f"proximity-auth-cookie={session.access}; csrftoken=t"
    call = client.public.StepUp(STEP_UP, metadata=(("cookie", cookie), ("x-csrftoken", "t")))
    answer = await call
    assert await read_cookies(call) == {"proximity-auth-cookie": answer.access}
    code, _ = await refused(client.public.StepUp(STEP_UP, metadata=(("cookie", cookie),)))
    assert code == "PERMISSION_DENIED"


async def test_wrong_passwords_of_a_step_up_are_refused_and_limited(client: Client) -> None:
    session = await client.register("root")
    wrong = pb.StepUpRequest(password="wrong-Password-1")
    for _ in range(4):
        assert (await refused(client.public.StepUp(wrong, metadata=bearer(session.access))))[
            0
        ] == "UNAUTHENTICATED"
    code, _ = await refused(client.public.StepUp(STEP_UP, metadata=bearer(session.access)))
    assert code == "RESOURCE_EXHAUSTED"


async def test_of_an_api_token_the_scopes_decide(client: Client) -> None:
    session = await client.register("root")
    request = pb.CreateApiTokenRequest(name="ci", scopes=["read", "write"])
    made = await client.public.CreateApiToken(request, metadata=bearer(session.access))
    await age(client, hours=1)
    request = pb.CreateApiTokenRequest(name="other", scopes=["read"])
    assert (await client.public.CreateApiToken(request, metadata=bearer(made.token))).name == "other"
    code, error = await refused(client.public.StepUp(STEP_UP, metadata=bearer(made.token)))
    assert (code, find_reason(error).reason) == ("PERMISSION_DENIED", "SESSION_MISSING")


async def test_an_ended_session_cannot_step_up(client: Client) -> None:
    session = await client.register("root")
    await client.auth.runtime.db.write(
        lambda connection: connection.execute(sessions.update().values(ended_at=now()))
    )
    code, _ = await refused(client.public.StepUp(STEP_UP, metadata=bearer(session.access)))
    assert code == "UNAUTHENTICATED"


async def test_a_session_of_an_earlier_release_was_authenticated_when_it_began(client: Client) -> None:
    session = await client.register("root")
    began = now() - timedelta(hours=2)
    values = {"authenticated_at": None, "created_at": began}
    await client.auth.runtime.db.write(
        lambda connection: connection.execute(sessions.update().values(**values))
    )
    pair = await refresh(client, session.refresh)
    assert read_claims(pair.access)["auth_time"] == int(began.timestamp())


async def test_an_api_token_gets_no_answer_that_was_given_to_a_session(client: Client) -> None:
    session = await client.register("root")
    request = pb.CreateApiTokenRequest(name="ci", scopes=["read", "write"])
    weak = await client.public.CreateApiToken(request, metadata=bearer(session.access))
    key = ("idempotency-key", "k")
    strong = pb.CreateApiTokenRequest(name="admin", scopes=["admin"])
    first = await client.public.CreateApiToken(strong, metadata=(*bearer(session.access), key))
    again = await client.public.CreateApiToken(strong, metadata=(*bearer(session.access), key))
    assert again.token == first.token
    code, _ = await refused(client.public.CreateApiToken(strong, metadata=(*bearer(weak.token), key)))
    assert code == "PERMISSION_DENIED"
    await age(client, minutes=11)
    pair = await refresh(client, session.refresh)
    code, error = await refused(client.public.CreateApiToken(strong, metadata=(*bearer(pair.access), key)))
    assert (code, find_reason(error).reason) == ("UNAUTHENTICATED", "STEP_UP_REQUIRED")
