"""Authentication of callers: user tokens signed by auth, service tokens signed by each service, and revocations.

A user's access token is a JWT (EdDSA; issuer and audience `proximity`; claims `sub` user id, `name`, `staff`, `sid`
session family, `jti`, `typ` access, `auth_time` and `amr`: when and how the user last proved their identity). A
service's token names itself (`iss` proximity-service, `sub`), the service it is meant for (`aud`) and, when it acts for
a user, that user: rights are never wider than the user's. A personal API token is opaque (`prx_…`); auth says whose it
is.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from services.common.core.errors import UnauthenticatedError

ISSUER = "proximity"
AUDIENCE = "proximity"
SERVICE_ISSUER = "proximity-service"
ACCESS_TOKEN_S = 3600  # how long a session goes without a refresh, which reads the account again
API_TOKEN_PREFIX = "prx_"  # noqa: S105 - a prefix, not a secret
ALL_SCOPES = ("read", "write", "admin")
CONFIRMED_S = 1.0  # between two confirmations of a token by auth while revocations cannot be read
CLOCK_SKEW_S = 10.0  # how far the clock of the signer may be ahead; no token is valid longer because of it
_CACHE_SIZE = 20_000  # verified tokens, about 1 KiB each
_ROOM = 10_000  # revocations that are stored before expired ones are searched for


class CredentialsMissingError(UnauthenticatedError):
    """No credentials were sent."""


class CredentialsInvalidError(UnauthenticatedError):
    """The credentials are not valid, or no longer."""


@dataclass(frozen=True)
class User:
    """The user who calls, or on whose behalf a service calls."""

    id: int
    username: str
    is_staff: bool
    scopes: tuple[str, ...] = ALL_SCOPES

    @property
    def is_admin(self) -> bool:
        """Administrator, with credentials that may act as one."""
        return self.is_staff and "admin" in self.scopes


@dataclass(frozen=True)
class Caller:
    """The principal of a call: a user, a service (perhaps on behalf of a user), or none.

    Attributes:
        authenticated_at: when the user of a session last proved who they are, in epoch seconds; None where the
            credentials are no session: API tokens and services.
    """

    user: User | None = None
    service: str = ""
    session: str = ""
    token_id: str = ""
    issued_at: float = 0.0
    expires_at: float = 0.0
    authenticated_at: float | None = None


ANONYMOUS = Caller()


class Revocations:
    """Revoked tokens, sessions and users. Filled from NATS by `watch_revocations`.

    Args:
        is_connected: whether the source that fills it answers now; None where it is filled by its own process.

    Attributes:
        is_loaded: whether everything that the source knew at the last connection is here.
    """

    def __init__(self, is_connected: Callable[[], bool] | None = None) -> None:
        self._cutoffs: dict[str, float] = {}
        self._room = _ROOM
        self._is_connected = is_connected
        self.is_loaded = is_connected is None

    @property
    def is_current(self) -> bool:
        """Whether a revocation would be known here by now."""
        return self.is_loaded and (self._is_connected is None or self._is_connected())

    def revoke(self, key: str, cutoff: float) -> None:
        """Refuse what `key` (`jti.…`, `sid.…`, `user.…`) names and was issued up to `cutoff`, in epoch seconds."""
        self._cutoffs[key] = max(cutoff, self._cutoffs.get(key, 0.0))
        if len(self._cutoffs) > self._room:
            self._forget(time.time() - ACCESS_TOKEN_S - CLOCK_SKEW_S)

    def forget(self, key: str) -> None:
        """Refuse no longer what `key` names: an operator removed the revocation."""
        self._cutoffs.pop(key, None)

    def _forget(self, before: float) -> None:
        """Drop what was issued so long ago that it has ended by itself."""
        self._cutoffs = {key: cutoff for key, cutoff in self._cutoffs.items() if cutoff >= before}
        self._room = 2 * max(len(self._cutoffs), _ROOM)

    def is_revoked(self, caller: Caller) -> bool:
        """Whether a caller's token was revoked."""
        if not self._cutoffs:
            return False
        issued_at, find = caller.issued_at, self._cutoffs.get
        return (
            issued_at <= find(f"jti.{caller.token_id}", -1.0)
            or issued_at <= find(f"sid.{caller.session}", -1.0)
            or (caller.user is not None and issued_at <= find(f"user.{caller.user.id}", -1.0))
        )


Keys = Callable[[str], Awaitable[Ed25519PublicKey | None]]
ApiTokens = Callable[[str], Awaitable[Caller]]
Confirm = Callable[[str], Awaitable[None]]


@dataclass
class TokenVerifier:
    """Verifies bearer tokens of all three kinds.

    Args:
        service: the service that this runs in; service tokens must be meant for it.
        service_keys: public keys of the services, by name.
        find_key: auth's public key of a key id, or None.
        revocations: what was revoked.
        authenticate_api_token: whose an API token is.
        confirm: asks auth whether an access token is still valid, for as long as `revocations` cannot say.
    """

    service: str
    service_keys: Mapping[str, Ed25519PublicKey]
    find_key: Keys
    revocations: Revocations
    authenticate_api_token: ApiTokens
    confirm: Confirm | None = None
    _cache: dict[str, Caller] = field(default_factory=dict)
    _confirmed: dict[str, float] = field(default_factory=dict)

    def recall(self, token: str) -> Caller | None:
        """The caller that a token names if that is known without a request to auth; else None, and `verify` finds out."""
        caller = self._cache.get(token)
        if caller is None or caller.expires_at <= time.time() or self.revocations.is_revoked(caller):
            return None
        return caller if self.confirm is None or self.revocations.is_current else None

    async def verify(self, token: str) -> Caller:
        """Say who a token belongs to. A verified one is remembered until it ends.

        Raises:
            CredentialsInvalidError: forged, expired, revoked, or for another audience.
        """
        caller = self._cache.get(token)
        if (
            caller is None or caller.expires_at <= time.time()
        ):  # the answer for an API token expires, so that a revocation counts
            self._cache.pop(token, None)
            caller = await self._verify_new(token)
            if len(self._cache) >= _CACHE_SIZE:
                self._cache.clear()
            self._cache[token] = caller
        if caller.expires_at <= time.time():
            raise CredentialsInvalidError("the token has expired")
        if self.revocations.is_revoked(caller):
            raise CredentialsInvalidError("the token was revoked")
        if self.confirm is not None and not self.revocations.is_current and not caller.service:
            await self._confirm(token, self.confirm)
        return caller

    async def _confirm(self, token: str, confirm: Confirm) -> None:
        """Have auth say that a token is valid, unless it did within the last second."""
        current = time.monotonic()
        if current - self._confirmed.get(token, -1.0) < CONFIRMED_S:
            return
        if token.startswith(API_TOKEN_PREFIX):
            await self.authenticate_api_token(token)
        else:
            await confirm(token)
        if len(self._confirmed) >= _CACHE_SIZE:
            self._confirmed.clear()
        self._confirmed[token] = current

    async def _verify_new(self, token: str) -> Caller:
        if token.startswith(API_TOKEN_PREFIX):
            return await self.authenticate_api_token(token)
        try:
            header = jwt.get_unverified_header(token)
            kid = str(header.get("kid", ""))
            if kid.startswith("service:"):
                return self._verify_service(token, kid.removeprefix("service:"))
            key = await self.find_key(kid)
            if key is None:
                raise CredentialsInvalidError("the token is signed with an unknown key")
            claims = jwt.decode(
                token,
                key,
                algorithms=["EdDSA"],
                audience=AUDIENCE,
                issuer=ISSUER,
                leeway=CLOCK_SKEW_S,
                options={"require": ["exp", "iat", "sub", "jti"]},
            )
            if claims.get("typ") != "access":
                raise CredentialsInvalidError("the token is not an access token")
            return _caller_of_claims(claims)
        except jwt.ExpiredSignatureError as error:
            raise CredentialsInvalidError("the token has expired") from error
        except (jwt.InvalidTokenError, ValueError, KeyError, TypeError) as error:
            raise CredentialsInvalidError("the token is not valid") from error

    def _verify_service(self, token: str, name: str) -> Caller:
        key = self.service_keys.get(name)
        if key is None:
            raise CredentialsInvalidError("the token is signed by an unknown service")
        claims = jwt.decode(
            token,
            key,
            algorithms=["EdDSA"],
            audience=self.service,
            issuer=SERVICE_ISSUER,
            leeway=CLOCK_SKEW_S,
            options={"require": ["exp", "iat", "sub"]},
        )
        if claims["sub"] != name:
            raise CredentialsInvalidError("the token names another service than its key")
        act = claims.get("act")
        user = (
            User(int(act["id"]), str(act["name"]), bool(act["staff"]), tuple(act["scopes"])) if act else None
        )
        return Caller(
            user=user, service=name, issued_at=float(claims["iat"]), expires_at=float(claims["exp"])
        )


def _caller_of_claims(claims: Mapping[str, Any]) -> Caller:
    user = User(int(claims["sub"]), str(claims["name"]), bool(claims["staff"]))
    return Caller(
        user=user,
        session=str(claims.get("sid", "")),
        token_id=str(claims["jti"]),
        issued_at=float(claims["iat"]),
        expires_at=float(claims["exp"]),
        # Releases before step-up issue tokens without the claim; these are never recent.
        authenticated_at=float(claims.get("auth_time", 0)),
    )
