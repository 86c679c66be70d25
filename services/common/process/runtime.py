"""Infrastructure that the parts of a process share: settings, database, NATS, tokens, clients."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from services.common.core.config import ServiceSettings
from services.common.db.database import Database, create_engine
from services.common.db.probe import DatabaseProbe
from services.common.identity.sealing import Sealer
from services.common.identity.service_keys import ServiceSigner, read_service_keys
from services.common.identity.tokens import ApiTokens, Keys, Revocations, TokenVerifier
from services.common.messaging.bus import Bus
from services.common.messaging.outbox import Relay
from services.common.messaging.poison import PoisonMessages
from services.common.rpc.auth_client import AuthClient
from services.common.rpc.client import Clients
from services.common.rpc.interceptors.authorization import Guard
from services.common.rpc.tls import PeerTls, read_tls


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Infrastructure that the parts of a process share.

    Attributes:
        tables: of the service, among them the standard ones: outbox, inbox, idempotency, schedules.
        relay: publishes the outbox; stores wake it after a commit that added messages.
    """

    service: str
    settings: ServiceSettings
    tables: sa.MetaData
    db: Database
    bus: Bus
    relay: Relay
    sealer: Sealer
    signer: ServiceSigner
    clients: Clients
    revocations: Revocations
    guard: Guard
    probe: DatabaseProbe
    tls: PeerTls | None = None


def build_runtime(
    service: str,
    settings: ServiceSettings,
    *,
    tables: sa.MetaData,
    find_key: Keys | None = None,
    authenticate_api_token: ApiTokens | None = None,
) -> Runtime:
    """Construct the shared parts; nothing is connected yet. Call it within an event loop.

    Args:
        service: its name in the registry.
        settings: its configuration.
        tables: its tables, among them the standard ones.
        find_key: auth's own keys; None: ask auth.
        authenticate_api_token: auth's own API tokens; None: ask auth.

    Raises:
        FileNotFoundError: a service key or a certificate is missing.
    """
    private, publics = read_service_keys(settings.service_keys, service)
    signer = ServiceSigner(service, private)
    tls = read_tls(settings.tls_dir, service)
    clients = Clients(signer, settings.address_of, tls=tls)
    bus = Bus(settings.nats_url, name=service, replicas=settings.nats_replicas)
    db = Database(create_engine(settings.database_url, service=service))
    bus.poison = PoisonMessages(db)
    auth = AuthClient(clients)
    # Auth verifies by its own tables; it must neither call itself nor depend on NATS for revocations.
    is_auth = find_key is not None
    revocations = Revocations(None if is_auth else lambda: bus.is_connected)
    verifier = TokenVerifier(
        service=service,
        service_keys=publics,
        find_key=find_key or auth.find_key,
        revocations=revocations,
        authenticate_api_token=authenticate_api_token or auth.authenticate_api_token,
        confirm=None if is_auth else auth.confirm,
    )
    return Runtime(
        service=service,
        settings=settings,
        tables=tables,
        db=db,
        probe=DatabaseProbe(db),
        bus=bus,
        relay=Relay(db, bus, outbox=tables.tables["outbox"], inbox=tables.tables["inbox"]),
        sealer=Sealer(settings.secret_key, previous=settings.previous_secret_keys),
        signer=signer,
        clients=clients,
        revocations=revocations,
        guard=Guard(verifier, origins=settings.cors_origins),
        tls=tls,
    )


async def close_runtime(runtime: Runtime) -> None:
    """Close connections, in order."""
    # The database last: a call or message that is ending may still write.
    await runtime.clients.close()
    await runtime.bus.close()
    await runtime.db.close()
