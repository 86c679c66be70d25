"""Composition root: the one file that constructs the parts of the service."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

from proximity.auth.v1 import auth_service_pb2 as pb

from services.auth.config import AuthSettings
from services.auth.convert.api_tokens import render_identity
from services.auth.domain.entities import NewAccount
from services.auth.domain.errors import ApiTokenInvalidError, UsernameTakenError
from services.auth.handlers import AuthHandlers, AuthInternalHandlers, cookies
from services.auth.handlers.direct_audit import DirectAudit
from services.auth.identity.password_hasher import Argon2Hasher
from services.auth.identity.signing_keys import SigningKeys
from services.auth.jobs.audit_log import consume_audit, plan_audit_pruning
from services.auth.jobs.revocation_publisher import RevocationPublisher
from services.auth.store.accounts import SqlAccountStore
from services.auth.store.api_tokens import SqlApiTokenStore
from services.auth.store.attempts import SqlAttemptStore
from services.auth.store.audit import SqlAuditStore
from services.auth.store.one_time_links import SqlOneTimeLinkStore
from services.auth.store.revocations import SqlRevocationStore
from services.auth.store.sessions import SqlSessionStore
from services.auth.store.signing_keys import SqlSigningKeyStore
from services.auth.store.tables import metadata
from services.auth.usecases.api_tokens import ApiTokenDependencies, authenticate_api_token
from services.auth.usecases.one_time_links import LinkDependencies
from services.auth.usecases.sign_in import SignInDependencies
from services.auth.usecases.users import UserDependencies
from services.clients.auth.verification import caller_of_api_token, watch_revocations
from services.common.core.log import get_logger
from services.common.identity.tokens import Caller, CredentialsInvalidError
from services.common.messaging.schedule import Periodic
from services.common.process import lifecycle
from services.common.process.lifecycle import Background, Service
from services.common.process.runtime import Runtime, TokenSources, build_runtime

log = get_logger()

# Expired rows only cost space; sessions and attempts may be thousands an hour.
_PRUNE = timedelta(minutes=10)
_NO_ADMIN = (
    "set PROXIMITY_ADMIN_USERNAME and PROXIMITY_ADMIN_PASSWORD, or run `python -m services.auth create-admin`"
)


@dataclass(frozen=True, kw_only=True)
class AuthStores:
    """The stores of auth, all on one database."""

    accounts: SqlAccountStore
    sessions: SqlSessionStore
    links: SqlOneTimeLinkStore
    attempts: SqlAttemptStore
    api_tokens: SqlApiTokenStore
    revocations: SqlRevocationStore
    signing_keys: SqlSigningKeyStore
    audit: SqlAuditStore


@dataclass(frozen=True, kw_only=True)
class AuthParts:
    """The parts of an auth process: `handlers` and `internal` answer RPCs."""

    settings: AuthSettings
    runtime: Runtime
    stores: AuthStores
    hasher: Argon2Hasher
    keys: SigningKeys
    publisher: RevocationPublisher
    handlers: AuthHandlers
    internal: AuthInternalHandlers


def build_parts(settings: AuthSettings, *, hasher: Argon2Hasher | None = None) -> AuthParts:
    """Construct the parts; nothing is connected yet. Call it within an event loop.

    `hasher` replaces the one of the settings, for tests that cannot spend 64 MiB on each password.
    """
    runtime = build_runtime(
        "auth",
        settings,
        tables=metadata,
        # The guard is constructed before the stores that it reads; both functions run when the server does.
        verify_tokens_by=lambda _: TokenSources(
            find_key=lambda kid: keys.find_key(kid),  # noqa: PLW0108 - `keys` is bound below
            authenticate_api_token=lambda token: _authenticate(api_tokens, token),
            watch_revocations=watch_revocations,
        ),
    )
    stores = _build_stores(runtime)
    publisher = RevocationPublisher(stores.revocations, bus=runtime.bus, revocations=runtime.revocations)
    hasher = hasher or Argon2Hasher(settings.password_threads)
    keys = SigningKeys(stores.signing_keys, lifetime=timedelta(days=settings.signing_key_days))
    api_tokens = ApiTokenDependencies(tokens=stores.api_tokens, revocations=publisher)
    users = UserDependencies(accounts=stores.accounts, hasher=hasher, revocations=publisher)
    sign_in = SignInDependencies(
        accounts=stores.accounts,
        sessions=stores.sessions,
        attempts=stores.attempts,
        hasher=hasher,
        access_tokens=keys,
        revocations=publisher,
        limits=settings.sign_in_limits,
    )
    links = _build_links(settings, stores, hasher=hasher, publisher=publisher)
    handlers = AuthHandlers(
        sign_in=sign_in,
        registration=settings.registration_policy,
        users=users,
        links=links,
        api_tokens=api_tokens,
        keys=keys,
        audit=stores.audit,
        guard=runtime.guard,
        verifier=runtime.guard.verifier,
    )
    internal = AuthInternalHandlers(users=users, api_tokens=api_tokens)
    return AuthParts(
        settings=settings,
        runtime=runtime,
        stores=stores,
        hasher=hasher,
        keys=keys,
        publisher=publisher,
        handlers=handlers,
        internal=internal,
    )


def _build_links(
    settings: AuthSettings, stores: AuthStores, *, hasher: Argon2Hasher, publisher: RevocationPublisher
) -> LinkDependencies:
    return LinkDependencies(
        links=stores.links,
        accounts=stores.accounts,
        attempts=stores.attempts,
        hasher=hasher,
        revocations=publisher,
        limits=settings.sign_in_limits,
        public_url=settings.public_url,
    )


def _build_stores(runtime: Runtime) -> AuthStores:
    db, sealer = runtime.db, runtime.sealer
    return AuthStores(
        accounts=SqlAccountStore(db),
        sessions=SqlSessionStore(db, sealer),
        links=SqlOneTimeLinkStore(db),
        attempts=SqlAttemptStore(db),
        api_tokens=SqlApiTokenStore(db),
        revocations=SqlRevocationStore(db),
        signing_keys=SqlSigningKeyStore(db, sealer),
        audit=SqlAuditStore(db),
    )


async def _authenticate(deps: ApiTokenDependencies, token: str) -> Caller:
    """Return the caller of an API token, as `AuthClient` does for the other services."""
    sent_at = time.time()
    try:
        known, account = await authenticate_api_token(deps, token)
    except ApiTokenInvalidError as error:
        raise CredentialsInvalidError(error.message) from error
    return caller_of_api_token(render_identity(known, account), sent_at=sent_at)


async def serve(settings: AuthSettings) -> None:
    """Answer RPCs until SIGTERM or SIGINT."""
    parts = build_parts(settings)
    await prepare(parts)
    consume_audit(parts.runtime.bus, parts.stores.audit)
    names = pb.DESCRIPTOR.services_by_name
    service = Service(
        runtime=parts.runtime,
        handlers={names["AuthService"]: parts.handlers, names["AuthInternalService"]: parts.internal},
        background=list_background(parts),
        audit=DirectAudit(parts.stores.audit),
        on_failed_admission=cookies.set_csrf_cookie,
    )
    try:
        await lifecycle.serve(service)
    finally:
        parts.hasher.close()


async def prepare(parts: AuthParts) -> None:
    """Load keys and revocations and create the first administrator, before the first call."""
    # Keys first: without one no sign-in succeeds.
    await parts.keys.load()
    await parts.publisher.load()
    await ensure_first_admin(parts)


async def ensure_first_admin(parts: AuthParts) -> None:
    """Create the administrator that the settings name unless there is an active one."""
    accounts, settings = parts.stores.accounts, parts.settings
    if await accounts.has_admin():
        return
    username = settings.admin_username
    if not username:
        log.warning("no_administrator", remedy=_NO_ADMIN)
        return
    password_hash = await parts.hasher.hash(settings.admin_password)
    new = NewAccount(username=username, email="", password_hash=password_hash, is_staff=True)
    try:
        added = await accounts.add_first_admin(new)
    except UsernameTakenError as error:
        # An ordinary account has the name. Its owner is unknown, so it is not promoted.
        log.warning("first_admin_refused", error=error.message, remedy=_NO_ADMIN)
        return
    if added is not None:
        log.info("first_admin_created", username=username)


def list_background(parts: AuthParts) -> list[Background]:
    """List the work that runs beside the server."""
    stores = parts.stores

    async def prune() -> None:
        for store in (stores.sessions, stores.attempts, stores.revocations, stores.links):
            await store.prune()

    return [
        parts.keys.plan_refresh(),
        parts.publisher.run(),
        Periodic(name="prune", interval=_PRUNE, function=prune),
        *plan_audit_pruning(stores.audit, parts.settings.audit_days),
    ]
