"""A service's handlers behind a real gRPC server, and clients with tokens that it accepts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf.descriptor import ServiceDescriptor

from services.common.identity.keys import ServiceSigner, make_service_keys, read_service_keys
from services.common.identity.tokens import Caller, CredentialsInvalidError, Revocations, TokenVerifier
from services.common.rpc.client import Clients
from services.common.rpc.interceptors.authorization import Guard
from services.common.rpc.server import add_service, create_server
from services.common.rpc.server_context import ServerContext


@asynccontextmanager
async def serve(
    folder: Path, descriptor: ServiceDescriptor, handlers: object, *, callers: Sequence[str]
) -> AsyncIterator[Mapping[str, Clients]]:
    """Serve handlers on a free port and yield the clients of each calling service."""
    make_service_keys(folder)
    service = descriptor.file.package.split(".")[1]
    server = create_server()
    add_service(
        server,
        descriptor,
        handlers=handlers,
        context=ServerContext(guard=Guard(_make_verifier(folder, service))),
    )
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    clients = {
        name: Clients(ServiceSigner(name, read_service_keys(folder, name)[0]), {service: address}.__getitem__)
        for name in callers
    }
    yield clients
    for each in clients.values():
        await each.close()
    await server.stop(None)


def _make_verifier(keys: Path, service: str) -> TokenVerifier:
    async def find_key(kid: str) -> Ed25519PublicKey | None:
        return None

    async def authenticate(value: str) -> Caller:
        raise CredentialsInvalidError("there are no API tokens here")

    _, publics = read_service_keys(keys, service)
    return TokenVerifier(service, publics, find_key, Revocations(), authenticate)
