"""A server of the catalog's protos with handlers of its own, and tokens for it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import jwt
import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from proximity.catalog.v1 import catalog_service_pb2 as pb
from proximity.catalog.v1 import catalog_service_pb2_grpc as stubs
from proximity.catalog.v1 import item_pb2

from services.common.core.errors import (
    DuplicateError,
    InvalidError,
    NotFoundError,
    Violation,
)
from services.common.db.database import Database, create_engine
from services.common.identity.keys import Sealer, make_service_keys, read_service_keys
from services.common.identity.tokens import (
    Caller,
    CredentialsInvalidError,
    Revocations,
    TokenVerifier,
    User,
)
from services.common.rpc.call import Call
from services.common.rpc.interceptors import idempotency
from services.common.rpc.interceptors.authorization import Guard
from services.common.rpc.server import add_service, create_server
from services.common.rpc.server_context import ServerContext

KEY = Ed25519PrivateKey.generate()
METADATA = sa.MetaData()
IDEMPOTENCY = idempotency.define_table(METADATA)


class Handlers:
    """Answers enough of the catalog to look at what stands around it."""

    def __init__(self) -> None:
        self.created: list[str] = []

    def __getattr__(self, name: str) -> object:
        async def refuse(request: object, call: Call) -> object:
            raise NotFoundError(f"{name} is not here")

        return refuse

    async def get_item(self, request: pb.GetItemRequest, call: Call) -> item_pb2.Item:
        if request.app_id == "boom":
            raise RuntimeError("the password is hunter2")
        if request.app_id == "everything":
            faults = [Violation(f"config.key_{number}", "ü" * 200) for number in range(2000)]
            raise InvalidError("Ä" * 20_000, violations=faults)
        return item_pb2.Item(id=request.app_id, name=call.user.username)

    async def create_source(self, request: pb.CreateSourceRequest, call: Call) -> item_pb2.Source:
        if call.request_id in self.created:
            raise DuplicateError("made twice")
        self.created.append(call.request_id)
        call.add_location("/api/catalog/sources/1")
        return item_pb2.Source(id=len(self.created), name=request.name)

    async def render_item(self, request: pb.RenderItemRequest, call: Call) -> pb.Rendering:
        return pb.Rendering(
            name=call.caller.service, catalog_id=call.user.username if call.caller.user else ""
        )


class Stack:
    """A server, and what its tests need to speak to it."""

    def __init__(self, address: str, keys: Path, revocations: Revocations, handlers: Handlers) -> None:
        self.channel = grpc.aio.insecure_channel(address)
        self.api = stubs.CatalogServiceStub(self.channel)
        self.internal = stubs.CatalogInternalServiceStub(self.channel)
        self.keys = keys
        self.revocations = revocations
        self.handlers = handlers
        self.address = address
        self.around: ServerContext | None = None


def token(*, key: Ed25519PrivateKey = KEY, algorithm: str = "EdDSA", **changes: object) -> str:
    claims = {
        "iss": "proximity",
        "aud": "proximity",
        "sub": "7",
        "name": "alice",
        "staff": False,
        "sid": "s",
        "jti": "j",
        "typ": "access",
        "iat": int(time.time()) - 1,
        "exp": int(time.time()) + 60,
        **changes,
    }
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "k1"})


def bearer(value: str, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {value}"), *more)


@pytest.fixture
async def stack(tmp_path: Path) -> AsyncIterator[Stack]:
    make_service_keys(tmp_path)
    _, publics = read_service_keys(tmp_path, "catalog")
    revocations = Revocations()

    async def find_key(kid: str) -> Ed25519PublicKey | None:
        return KEY.public_key() if kid == "k1" else None

    async def authenticate(value: str) -> Caller:
        if value != "prx_read":
            raise CredentialsInvalidError("the API token is not valid")
        return Caller(user=User(7, "alice", is_staff=True, scopes=("read",)), expires_at=time.time() + 60)

    engine = create_engine(f"sqlite:///{tmp_path}/rpc.sqlite3", service="catalog")
    METADATA.create_all(engine)
    db = Database(engine)
    guard = Guard(TokenVerifier("catalog", publics, find_key, revocations, authenticate))
    around = ServerContext(
        guard=guard, idempotency=idempotency.IdempotencyStore(db, IDEMPOTENCY, sealer=Sealer("x"))
    )
    server = create_server()
    handlers = Handlers()
    for service in pb.DESCRIPTOR.services_by_name.values():
        add_service(server, service, handlers=handlers, context=around)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    result = Stack(f"127.0.0.1:{port}", tmp_path, revocations, handlers)
    result.around = around
    yield result
    await result.channel.close(None)
    await server.stop(None)
    await db.close()


async def code_of(call: object) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return str(caught.value.code().name)


ITEM = pb.GetItemRequest(app_id="nginx")
SOURCE = pb.CreateSourceRequest(name="acme", location="/srv/acme", format="native")
