"""The composition root: the one file that constructs things."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from proximity.auth.v1 import auth_service_pb2 as pb

from services.auth.config import AuthSettings
from services.auth.convert import render_identity
from services.auth.domain.entities import NewAccount
from services.auth.domain.errors import ApiTokenInvalidError, UsernameTakenError
from services.auth.handlers import cookies
from services.auth.handlers.direct_audit import DirectAudit
from services.auth.handlers.sign_in import AuthHandlers, AuthInternalHandlers
from services.auth.identity.password_hasher import Argon2Hasher
from services.auth.identity.signing_keys import SigningKeys
from services.auth.jobs import audit_log
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
from services.auth.usecases.accounts import Accounts
from services.auth.usecases.api_tokens import ApiTokens, authenticate_api_token
from services.auth.usecases.one_time_links import OneTimeLinks
from services.auth.usecases.sign_in import SignIn, SignInLimits, make_limits
from services.common.core.log import get_logger
from services.common.identity.service_keys import read_service_keys
from services.common.identity.tokens import Caller, CredentialsInvalidError, TokenVerifier
from services.common.messaging.schedule import Periodic
from services.common.process import lifecycle
from services.common.process.lifecycle import Background, Service
from services.common.process.runtime import Runtime, build_runtime
from services.common.rpc.auth_client import caller_of_api_token

log = get_logger()

_PRUNE = timedelta(
    minutes=10
)  # expired rows cost space alone; sessions and attempts may be thousands an hour
_NO_ADMIN = (
    "set PROXIMITY_ADMIN_USERNAME and PROXIMITY_ADMIN_PASSWORD, or run `python -m services.auth create-admin`"
)


@dataclass(frozen=True, kw_only=True)
class Auth:
    """Everything that auth is made of."""

    settings: AuthSettings
    runtime: Runtime
    accounts: SqlAccountStore
    hasher: Argon2Hasher
    keys: SigningKeys
    audit: SqlAuditStore
    publisher: RevocationPublisher
    handlers: AuthHandlers
    internal: AuthInternalHandlers
    pruned: tuple[Any, ...]


class _Own:
    """Keys and API tokens for this service's own guard, which is made before the stores are."""

    keys: SigningKeys
    tokens: ApiTokens

    async def find_key(self, kid: str) -> Ed25519PublicKey | None:
        return await self.keys.find_key(kid)

    async def authenticate_api_token(self, token: str) -> Caller:
        sent_at = time.time()
        try:
            known, account = await authenticate_api_token(self.tokens, token)
        except ApiTokenInvalidError as error:
            raise CredentialsInvalidError(error.message) from error
        return caller_of_api_token(render_identity(known, account), sent_at=sent_at)


def build_auth(settings: AuthSettings) -> Auth:
    """Make everything; nothing is connected yet."""
    own = _Own()
    runtime = build_runtime(
        "auth",
        settings,
        tables=metadata,
        find_key=own.find_key,
        authenticate_api_token=own.authenticate_api_token,
    )
    db = runtime.db
    sessions, attempts, revoked = (
        SqlSessionStore(db, runtime.sealer),
        SqlAttemptStore(db),
        SqlRevocationStore(db),
    )
    accounts, audit = SqlAccountStore(db), SqlAuditStore(db)
    publisher = RevocationPublisher(revoked, runtime.bus, runtime.revocations)
    hasher = Argon2Hasher(settings.password_threads)
    own.keys = SigningKeys(
        SqlSigningKeyStore(db, runtime.sealer), lifetime=timedelta(days=settings.signing_key_days)
    )
    own.tokens = ApiTokens(SqlApiTokenStore(db), publisher)
    account_cases = Accounts(accounts, publisher)
    sign_in = SignIn(
        accounts=accounts,
        sessions=sessions,
        attempts=attempts,
        hasher=hasher,
        tokens=own.keys,
        sink=publisher,
        limits=_limits(settings),
    )
    link_store = SqlOneTimeLinkStore(db)
    verifier = TokenVerifier(
        service="auth",
        service_keys=read_service_keys(settings.service_keys, "auth")[1],
        find_key=own.find_key,
        revocations=runtime.revocations,
        authenticate_api_token=own.authenticate_api_token,
    )
    handlers = AuthHandlers(
        sign_in=sign_in,
        registration=settings.registration_policy,
        accounts=account_cases,
        links=OneTimeLinks(
            store=link_store,
            accounts=accounts,
            attempts=attempts,
            hasher=hasher,
            sink=publisher,
            limits=_limits(settings),
            public_url=settings.public_url,
        ),
        tokens=own.tokens,
        keys=own.keys,
        audit=audit,
        guard=runtime.guard,
        verifier=verifier,
    )
    return Auth(
        settings=settings,
        runtime=runtime,
        accounts=accounts,
        hasher=hasher,
        keys=own.keys,
        audit=audit,
        publisher=publisher,
        handlers=handlers,
        internal=AuthInternalHandlers(accounts=account_cases, tokens=own.tokens),
        pruned=(sessions, attempts, revoked, link_store),
    )


async def serve(settings: AuthSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    auth = build_auth(settings)
    await prepare(auth)
    audit_log.consume_audit(auth.runtime.bus, auth.audit)
    services = pb.DESCRIPTOR.services_by_name
    handlers = {
        services["AuthService"]: auth.handlers,
        services["AuthInternalService"]: auth.internal,
    }
    service = Service(
        runtime=auth.runtime,
        handlers=handlers,
        background=list_background(auth),
        audit=DirectAudit(auth.audit),
        on_failed_admission=cookies.set_csrf_cookie,
    )
    try:
        await lifecycle.serve(service)
    finally:
        auth.hasher.close()


async def prepare(auth: Auth) -> None:
    """What has to be there before the first call: keys, revocations, the first administrator."""
    await auth.keys.load()
    await auth.publisher.load()
    await ensure_first_admin(auth)


async def ensure_first_admin(auth: Auth) -> None:
    """Make the administrator that the settings name when there is no active one."""
    if await auth.accounts.has_admin():
        return
    username, password = auth.settings.admin_username, auth.settings.admin_password
    if not username:
        log.warning("no_administrator", remedy=_NO_ADMIN)
        return
    new = NewAccount(
        username=username, email="", password_hash=await auth.hasher.hash(password), is_staff=True
    )
    try:
        added = await auth.accounts.add_account(new, only_without_admin=True)
    except UsernameTakenError as error:
        # An ordinary account took the name: whose it is, nobody knows, so it is not promoted.
        log.warning("first_admin_refused", error=error.message, remedy=_NO_ADMIN)
        return
    if added is not None:
        log.info("first_admin_made", username=username)


def list_background(auth: Auth) -> list[Background]:
    """List what runs beside the server."""

    async def prune() -> None:
        for store in auth.pruned:
            await store.prune()

    return [
        auth.keys.plan_refresh(),
        auth.publisher.run(),
        Periodic(name="prune", interval=_PRUNE, function=prune),
        *audit_log.plan_audit_pruning(auth.audit, auth.settings.audit_days),
    ]


def _limits(settings: AuthSettings) -> SignInLimits:
    return make_limits(
        per_account=settings.login_failures_per_account,
        per_address=settings.login_failures_per_address,
        registrations=settings.registrations_per_address,
    )
