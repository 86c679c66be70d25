"""auth's real gRPC server on a database of its own, as the tests of its RPCs start it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import jwt
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from google.protobuf.empty_pb2 import Empty
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import auth_service_pb2_grpc as stubs
from proximity.auth.v1 import user_pb2

from services.auth.config import AuthSettings
from services.auth.handlers import cookies
from services.auth.handlers.direct_audit import DirectAudit
from services.auth.identity.password_hasher import Argon2Hasher
from services.auth.jobs import audit_log
from services.auth.server import AuthParts, build_parts, list_background, prepare
from services.auth.store.tables import idempotency, one_time_links, sessions
from services.common.core.clock import now
from services.common.core.config import read_settings
from services.common.identity.keys import ServiceSigner, make_service_keys, read_service_keys
from services.common.messaging.schedule import Periodic, SqlSchedules
from services.common.process.runtime import close_runtime
from services.common.rpc.call import parse_cookies
from services.common.rpc.interceptors.idempotency import IdempotencyStore
from services.common.rpc.server import add_service, create_server
from services.common.rpc.server_context import ServerContext

PASSWORD = "Correct-Horse-9"
NEW = "Another-Horse-9"
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@dataclass
class Client:
    """A client of auth, with short forms of the calls that many tests begin with."""

    auth: AuthParts
    public: Any
    internal: Any

    async def register(self, username: str) -> user_pb2.Session:
        request = pb.RegisterUserRequest(username=username, password=PASSWORD)
        return await self.public.RegisterUser(request)  # type: ignore[no-any-return]

    async def sign_in(self, username: str, password: str = PASSWORD) -> user_pb2.Session:
        request = pb.LoginRequest(username=username, password=password)
        return await self.public.Login(request)  # type: ignore[no-any-return]

    async def refresh(self, token: str) -> user_pb2.TokenPair:
        return await self.public.RefreshToken(pb.RefreshTokenRequest(refresh=token))  # type: ignore[no-any-return]

    async def create_api_token(
        self, credentials: str, name: str, *scopes: str, days: float | None = None
    ) -> user_pb2.ApiToken:
        request = pb.CreateApiTokenRequest(name=name, scopes=scopes)
        if days is not None:
            request.expires_at.FromDatetime(now() + timedelta(days=days))
        return await self.public.CreateApiToken(request, metadata=bearer(credentials))  # type: ignore[no-any-return]

    async def create_reset_link(self, issuer: user_pb2.Session, user_id: int) -> pb.OneTimeLink:
        request = pb.CreateResetLinkRequest(id=user_id)
        return await self.public.CreateResetLink(request, metadata=bearer(issuer.access))  # type: ignore[no-any-return]

    async def list_audit(self, credentials: str, action: str) -> list[tuple[str, str, str]]:
        """User, target and outcome of the recorded calls of one RPC, newest first."""
        request = pb.ListAuditEntriesRequest(action=action)
        listed = await self.public.ListAuditEntries(request, metadata=bearer(credentials))
        return [(entry.username, entry.target, entry.outcome) for entry in listed.entries]

    async def accepts(self, token: str) -> bool:
        """Whether the bearer of a token is signed in."""
        try:
            await self.public.GetCurrentUser(Empty(), metadata=bearer(token))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                return False
            raise
        return True

    def sign_as(self, service: str) -> str:
        """A token of another service."""
        private, _ = read_service_keys(self.auth.settings.service_keys, service)
        return ServiceSigner(service, private).sign("auth")

    async def list_links(self) -> str:
        """The rows of all one-time links, as text."""
        rows = await self.auth.runtime.db.read(
            lambda connection: connection.execute(one_time_links.select()).all()
        )
        return str([tuple(row) for row in rows])

    async def write(self, statement: sa.UpdateBase) -> None:
        """Change rows behind the back of the service."""
        await self.auth.runtime.db.write(lambda connection: connection.execute(statement))

    async def age_sign_ins(self, **duration: float) -> None:
        """Move every sign-in into the past."""
        await self.write(sessions.update().values(authenticated_at=now() - timedelta(**duration)))


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


async def refused(call: Any) -> tuple[str, grpc.aio.AioRpcError]:
    """The name of the code that a call is refused with, and the error."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code().name, caught.value


def make_settings(tmp_path: Path, **changes: str) -> AuthSettings:
    make_service_keys(tmp_path / "keys")
    environment = {
        "DATABASE_URL": f"sqlite:///{tmp_path}/p.sqlite3",
        "NATS_URL": "nats://127.0.0.1:1",
        "SECRET_KEY": "the key that is of this test alone",
        "SERVICE_KEYS_DIR": str(tmp_path / "keys"),
        "DEBUG": "True",
        "LOGIN_FAILURES_PER_ACCOUNT": "3",
        "LOGIN_FAILURES_PER_ADDRESS": "8",
        **changes,
    }
    return read_settings(AuthSettings, environment)


@asynccontextmanager
async def run(
    settings: AuthSettings, *, messaging: bool = False, audit: type[DirectAudit] = DirectAudit
) -> AsyncIterator[Client]:
    auth = build_parts(settings, hasher=Argon2Hasher(2, CHEAP))
    await prepare(auth)
    store = IdempotencyStore(auth.runtime.db, idempotency, sealer=auth.runtime.sealer)
    around = ServerContext(
        guard=auth.runtime.guard,
        idempotency=store,
        audit=audit(auth.stores.audit),
        on_failed_admission=cookies.set_csrf_cookie,
    )
    server = create_server()
    services = pb.DESCRIPTOR.services_by_name
    add_service(server, services["AuthService"], handlers=auth.handlers, context=around)
    add_service(server, services["AuthInternalService"], handlers=auth.internal, context=around)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    schedules = SqlSchedules(auth.runtime.db, auth.runtime.tables.tables["schedules"])
    tasks = [
        asyncio.ensure_future(work.run(schedules) if isinstance(work, Periodic) else work)
        for work in (list_background(auth) if messaging else [])
    ]
    if messaging:
        audit_log.consume_audit(auth.runtime.bus, auth.stores.audit)
        auth.runtime.bus.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Client(auth, stubs.AuthServiceStub(channel), stubs.AuthInternalServiceStub(channel))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await server.stop(None)
    auth.hasher.close()
    await close_runtime(auth.runtime)


async def read_cookies(call: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in await call.initial_metadata():
        if name == "set-cookie":
            found |= parse_cookies(value.partition(";")[0])
    return found


def run_command(state: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command of auth with the database alone: no key, no secret."""
    return subprocess.run(
        [sys.executable, "-m", "services.auth", *arguments],
        env={"DATABASE_URL": f"sqlite:///{state}/p.sqlite3", "PATH": "/usr/bin"},
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
        check=False,
    )


def redeem(token: str, password: str = NEW, **fields: str) -> pb.ResetPasswordRequest:
    return pb.ResetPasswordRequest(token=token, new_password=password, **fields)


def read_claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def find_reason(error: grpc.aio.AioRpcError) -> error_details_pb2.ErrorInfo:
    return _find_detail(error, error_details_pb2.ErrorInfo())


def list_violations(error: grpc.aio.AioRpcError) -> list[str]:
    """The fields that a request was refused for."""
    bad = _find_detail(error, error_details_pb2.BadRequest())
    return [violation.field for violation in bad.field_violations]


def _find_detail(error: grpc.aio.AioRpcError, detail: Any) -> Any:
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status is not None
    assert any(packed.Unpack(detail) for packed in status.details)
    return detail
