"""auth's real gRPC server on a database of its own, as the tests of its RPCs start it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from argon2 import PasswordHasher
from proximity.auth.v1 import auth_service_pb2 as pb
from proximity.auth.v1 import auth_service_pb2_grpc as stubs
from proximity.auth.v1 import user_pb2

from services.auth.config import AuthSettings
from services.auth.handlers import cookies
from services.auth.handlers.direct_audit import DirectAudit
from services.auth.identity.password_hasher import Argon2Hasher
from services.auth.jobs import audit_log
from services.auth.server import AuthParts, build_parts, list_background, prepare
from services.auth.store.tables import idempotency
from services.common.core.config import read_settings
from services.common.identity.service_keys import make_service_keys
from services.common.messaging.schedule import Periodic, SqlSchedules
from services.common.process.runtime import close_runtime
from services.common.rpc.call import parse_cookies
from services.common.rpc.interceptors.idempotency import IdempotencyStore
from services.common.rpc.server import add_service, create_server
from services.common.rpc.server_context import ServerContext

PASSWORD = "Correct-Horse-9"
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@dataclass
class Client:
    """A client of auth."""

    auth: AuthParts
    public: Any
    internal: Any

    async def register(self, username: str) -> user_pb2.Session:
        request = pb.RegisterUserRequest(username=username, password=PASSWORD)
        return await self.public.RegisterUser(request)  # type: ignore[no-any-return]


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
    add_service(server, services["AuthService"], auth.handlers, around)
    add_service(server, services["AuthInternalService"], auth.internal, around)
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
