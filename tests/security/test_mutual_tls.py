"""With certificates, who speaks must be who the token says, and only the gateway speaks for users."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from pathlib import Path

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from proximity.catalog.v1 import catalog_service_pb2 as pb
from proximity.catalog.v1 import catalog_service_pb2_grpc as stubs
from proximity.catalog.v1 import item_pb2

from deploy.certificates import make_certificates
from services.common.core.errors import NotFoundError, UnavailableError
from services.common.identity.keys import ServiceSigner, make_service_keys, read_service_keys
from services.common.identity.tokens import Caller, CredentialsInvalidError, Revocations, TokenVerifier
from services.common.rpc.call import Call
from services.common.rpc.client import Clients, open_channel, read_tls
from services.common.rpc.interceptors.authorization import Guard
from services.common.rpc.server import add_service, create_server
from services.common.rpc.server_context import Peers, ServerContext

KEY = Ed25519PrivateKey.generate()


class Catalog:
    """Answers where a call comes from."""

    def __getattr__(self, name: str) -> object:
        async def refuse(request: object, call: Call) -> object:
            raise NotFoundError(f"{name} is not here")

        return refuse

    async def get_item(self, request: pb.GetItemRequest, call: Call) -> item_pb2.Item:
        return item_pb2.Item(id=request.app_id, name=call.user.username, author=call.address)

    async def render_item(self, request: pb.RenderItemRequest, call: Call) -> pb.Rendering:
        return pb.Rendering(name=call.caller.service)


@dataclass(frozen=True)
class Place:
    """Where the catalog answers, and the keys and certificates of everybody."""

    folder: Path
    address: str

    def sign(self, service: str) -> tuple[tuple[str, str], ...]:
        private, _ = read_service_keys(self.folder / "keys", service)
        return bearer(ServiceSigner(service, private).sign("catalog"))

    def open(self, name: str, *, certs: str = "certs", answerer: str = "catalog") -> grpc.aio.Channel:
        return open_channel(self.address, answerer, tls=read_tls(self.folder / certs, name))


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


def sign_user() -> tuple[tuple[str, str], ...]:
    current = int(time.time())
    claims = {"iss": "proximity", "aud": "proximity", "sub": "7", "name": "alice", "staff": False, "sid": "s"}
    claims |= {"jti": "j", "typ": "access", "iat": current - 1, "exp": current + 60}
    return bearer(jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": "k1"}))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    make_service_keys(tmp_path / "keys")
    make_certificates(tmp_path / "certs")
    _, publics = read_service_keys(tmp_path / "keys", "catalog")

    async def find_key(kid: str) -> Ed25519PublicKey | None:
        return KEY.public_key() if kid == "k1" else None

    async def authenticate(_: str) -> Caller:
        raise CredentialsInvalidError("the API token is not valid")

    guard = Guard(TokenVerifier("catalog", publics, find_key, Revocations(), authenticate))
    server = create_server()
    for service in pb.DESCRIPTOR.services_by_name.values():
        add_service(
            server,
            service,
            handlers=Catalog(),
            context=ServerContext(guard=guard, peers=Peers(by_certificate=True)),
        )
    tls = read_tls(tmp_path / "certs", "catalog")
    assert tls is not None
    port = server.add_secure_port("127.0.0.1:0", tls.make_server_credentials())
    await server.start()
    yield Place(tmp_path, f"127.0.0.1:{port}")
    await server.stop(None)


async def refusal_of(call: Awaitable[object]) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return refused.value.code()


async def test_nobody_connects_without_a_certificate(place: Place) -> None:
    async with grpc.aio.insecure_channel(place.address) as channel:
        call = stubs.CatalogServiceStub(channel).GetItem(pb.GetItemRequest(app_id="x"), timeout=60)
        assert await refusal_of(call) is grpc.StatusCode.UNAVAILABLE
    authority = (place.folder / "certs" / "ca.crt").read_bytes()
    named = [("grpc.ssl_target_name_override", "catalog")]
    async with grpc.aio.secure_channel(place.address, grpc.ssl_channel_credentials(authority), named) as bare:
        call = stubs.CatalogServiceStub(bare).GetItem(
            pb.GetItemRequest(app_id="x"), metadata=sign_user(), timeout=5
        )
        assert await refusal_of(call) is grpc.StatusCode.UNAVAILABLE


async def test_a_certificate_of_another_authority_opens_nothing(place: Place) -> None:
    make_certificates(place.folder / "foreign")
    (place.folder / "foreign" / "ca.crt").write_bytes((place.folder / "certs" / "ca.crt").read_bytes())
    async with place.open("apps", certs="foreign") as channel:
        stub = stubs.CatalogInternalServiceStub(channel)
        call = stub.RenderItem(pb.RenderItemRequest(app_id="x"), metadata=place.sign("apps"), timeout=60)
        assert await refusal_of(call) is grpc.StatusCode.UNAVAILABLE


async def test_a_service_speaks_with_its_own_certificate_only(place: Place) -> None:
    request = pb.RenderItemRequest(app_id="x")
    async with place.open("apps") as channel:
        stub = stubs.CatalogInternalServiceStub(channel)
        answer = await stub.RenderItem(request, metadata=place.sign("apps"), timeout=60)
        assert answer.name == "apps"
    for thief in ("backups", "gateway"):
        async with place.open(thief) as channel:
            stub = stubs.CatalogInternalServiceStub(channel)
            call = stub.RenderItem(request, metadata=place.sign("apps"), timeout=60)
            assert await refusal_of(call) is grpc.StatusCode.PERMISSION_DENIED


async def test_only_the_gateway_speaks_for_users_and_says_where_they_are(place: Place) -> None:
    request, said = pb.GetItemRequest(app_id="x"), (("x-forwarded-for", "203.0.113.9"),)
    async with place.open("gateway") as channel:
        stub = stubs.CatalogServiceStub(channel)
        answer = await stub.GetItem(request, metadata=sign_user() + said, timeout=60)
        assert (answer.name, answer.author) == ("alice", "203.0.113.9")
    async with place.open("apps") as channel:
        call = stubs.CatalogServiceStub(channel).GetItem(request, metadata=sign_user(), timeout=60)
        assert await refusal_of(call) is grpc.StatusCode.PERMISSION_DENIED


async def test_who_answers_must_be_the_service_that_was_called(place: Place) -> None:
    private, _ = read_service_keys(place.folder / "keys", "apps")
    signer, tls = ServiceSigner("apps", private), read_tls(place.folder / "certs", "apps")
    clients = Clients(signer, lambda _: place.address, tls=tls)
    try:
        request = pb.RenderItemRequest(app_id="x")
        stub = stubs.CatalogInternalServiceStub
        answer = await clients.call("catalog", stub, method="RenderItem", request=request, timeout=60)
        assert answer.name == "apps"
        with pytest.raises(UnavailableError):
            await clients.call(
                "inventory", stub, method="RenderItem", request=request, timeout=60, retry=False
            )
    finally:
        await clients.close()


def test_certificates_are_made_once_and_anew_before_they_end(tmp_path: Path) -> None:
    assert set(make_certificates(tmp_path, days=20)) >= {"ca", "gateway", "apps"}
    assert "apps" in make_certificates(tmp_path)
    before = (tmp_path / "apps.crt").read_bytes()
    assert make_certificates(tmp_path) == []
    assert (tmp_path / "apps.crt").read_bytes() == before
    assert (tmp_path / "apps.key").stat().st_mode & 0o077 == 0
