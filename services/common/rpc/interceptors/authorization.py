"""Authorization interceptor. Access is declared in the RPC's options; an RPC without them is refused.

Step-up authentication is part of it: some calls are allowed only shortly after the user proved their identity.
"""

from __future__ import annotations

import contextlib
import hmac
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from proximity.common.v1 import access_pb2

from services.common.core.errors import ForbiddenError, UnauthenticatedError, UnavailableError
from services.common.identity.tokens import (
    ANONYMOUS,
    Caller,
    CredentialsInvalidError,
    CredentialsMissingError,
    TokenVerifier,
)
from services.common.rpc.call import ACCESS_COOKIE, CSRF_COOKIE, Call, name_cookie

RECENT_S = 600  # ten minutes: long enough for a form, short enough for a browser that was left open
STEP_UP_PATH = "/api/auth/step-up"


class StepUpRequiredError(UnauthenticatedError):
    """The session's last sign-in is too long ago for this call.

    `challenge` is the WWW-Authenticate header of RFC 9470.
    """

    challenge = f'Bearer error="insufficient_user_authentication", max_age={RECENT_S}'

    def __init__(self) -> None:
        super().__init__(
            f"this needs a sign-in within the last {RECENT_S // 60} minutes: confirm your password with "
            f"POST {STEP_UP_PATH}",
            metadata={"methods": "password", "path": STEP_UP_PATH, "max_age": str(RECENT_S)},
        )


def check_recent_sign_in(caller: Caller) -> None:
    """Refuse a session whose user proved their identity too long ago.

    API tokens and services have no sign-in; their scopes and declarations decide.

    Raises:
        StepUpRequiredError: the last sign-in or step-up was more than `RECENT_S` ago.
    """
    if caller.authenticated_at is not None and time.time() - caller.authenticated_at > RECENT_S:
        raise StepUpRequiredError


def find_challenge(error: UnauthenticatedError) -> str:
    """Return the WWW-Authenticate header that goes with a refusal."""
    return error.challenge if isinstance(error, StepUpRequiredError) else "Bearer"


# Values of Sec-Fetch-Site that a page of this platform never causes. A sibling domain is foreign as well.
_FOREIGN_SITES = frozenset({"cross-site", "same-site"})


class AdminRequiredError(ForbiddenError):
    """Only administrators may."""


class ScopeMissingError(ForbiddenError):
    """The API token has no scope for it."""


class ServiceOnlyError(ForbiddenError):
    """Only certain services may."""


class CsrfRejectedError(ForbiddenError):
    """A write with a cookie came without its CSRF token."""


class OriginRefusedError(ForbiddenError):
    """The page of a foreign origin tried to write with a cookie, or to sign a visitor in or out."""


@dataclass(frozen=True)
class Rule:
    """Access that an RPC declares."""

    access: int
    callers: frozenset[str]
    writes: bool
    recent_sign_in: bool = False

    @cached_property
    def scope(self) -> str | None:
        """The scope that an API token must have; None where no user may call."""
        if self.access == access_pb2.ACCESS_ADMIN:
            return "admin"
        if self.access in (access_pb2.ACCESS_USER, access_pb2.ACCESS_OWNER):
            return "write" if self.writes else "read"
        return None


def rule_of(method: MethodDescriptor) -> Rule:
    """The rule of an RPC, from its options."""
    options = method.GetOptions()
    rpc = options.Extensions[access_pb2.rpc]
    writes = options.idempotency_level != MethodOptions.NO_SIDE_EFFECTS
    return Rule(rpc.access, frozenset(rpc.callers), writes, rpc.recent_sign_in)


class Guard:
    """Authenticates a call and decides whether it may go on.

    Args:
        verifier: verifies tokens.
        origins: foreign origins whose pages may write with a cookie.
    """

    def __init__(self, verifier: TokenVerifier, *, origins: Sequence[str] = ()) -> None:
        self.verifier = verifier
        self._origins = frozenset(origin.rstrip("/") for origin in origins)

    async def admit(self, call: Call, rule: Rule) -> None:
        """Fill in the caller of `call`.

        Raises:
            CredentialsMissingError, CredentialsInvalidError: not signed in (not for public RPCs).
            UnavailableError: auth does not answer whether the credentials are still valid (not for public RPCs).
            AdminRequiredError, ScopeMissingError, ServiceOnlyError, CsrfRejectedError, OriginRefusedError: not allowed.
            StepUpRequiredError: the RPC needs a recent sign-in, and the session's is not.
        """
        token = self._find_token(call)
        is_public = rule.access == access_pb2.ACCESS_PUBLIC
        try:
            # Almost every token was seen before; what needs no waiting is spared a coroutine.
            known = self.verifier.recall(token) if token else ANONYMOUS
            call.caller = known or await self.verifier.verify(token)
        except (CredentialsInvalidError, UnavailableError):
            if not is_public:
                raise
        if is_public:
            if rule.writes:  # these sign in, up and out: a foreign page must not choose the visitor's account
                self.check_origin(call)
            return
        if call.caller is ANONYMOUS:
            raise CredentialsMissingError("Authentication credentials were not provided")
        self._check_access(call.caller, rule)
        if call.via_cookie and call.is_websocket:
            self.check_page(call)
        elif call.via_cookie and rule.writes:
            self.check_csrf(call)
        if rule.recent_sign_in:
            check_recent_sign_in(call.caller)

    async def recheck(self, call: Call) -> None:
        """End a user's stream whose credentials no longer count. While auth does not answer, streams go on.

        Raises:
            CredentialsInvalidError: they expired or were revoked meanwhile, or are no longer an administrator's.
        """
        admitted = call.caller.user
        if admitted is None or call.caller.service:
            return
        with contextlib.suppress(UnavailableError):
            token = self._find_token(call)
            user = (self.verifier.recall(token) or await self.verifier.verify(token)).user
            if admitted.is_admin and not (user is not None and user.is_admin):
                raise CredentialsInvalidError("the credentials allow less than when the stream began")

    async def renew(self, call: Call, rule: Rule, *, token: str) -> None:
        """Let a user's stream go on with a newer token, so that it does not end with the one that opened it.

        Raises:
            CredentialsInvalidError: the token is not valid, or another user's.
            ScopeMissingError, AdminRequiredError, ServiceOnlyError: it does not allow what the stream does.
            UnavailableError: auth does not answer whether it is valid.
        """
        caller = await self.verifier.verify(token)
        if caller.service or caller.user is None or caller.user.id != call.user.id:
            raise CredentialsInvalidError("the token is another user's than the one that opened the stream")
        self._check_access(caller, rule)
        call.metadata = {**call.metadata, "authorization": f"Bearer {token}"}

    def check_csrf(self, call: Call) -> None:
        """Refuse a write whose credential is a cookie unless the page that sent it can read our cookies.

        Raises:
            CsrfRejectedError: X-CSRFToken is not the cookie's.
            OriginRefusedError: see `check_origin`.
        """
        cookie = call.find_cookie(CSRF_COOKIE)
        sent = call.metadata.get("x-csrftoken", "")
        # Compared in constant time, like every secret.
        if not cookie or not hmac.compare_digest(cookie.encode(), sent.encode()):
            raise CsrfRejectedError(
                "CSRF token missing or incorrect: send the value of the cookie "
                f"{name_cookie(CSRF_COOKIE, https=call.is_https)} as X-CSRFToken"
            )
        self.check_origin(call)

    def check_page(self, call: Call) -> None:
        """Refuse a WebSocket whose credential is a cookie, unless a page of an accepted origin opens it.

        Browsers send cookies with WebSockets of any page, and Origin with every one of them.

        Raises:
            OriginRefusedError: there is no Origin, or see `check_origin`.
        """
        if not call.metadata.get("origin"):
            raise OriginRefusedError(
                "a WebSocket whose credential is a cookie needs an Origin; send the token as Authorization instead"
            )
        self.check_origin(call)

    def check_origin(self, call: Call) -> None:
        """Refuse what a page of a foreign origin makes a browser send. Clients that are no browsers name no origin.

        `Origin` decides where there is one; a browser that withholds it still sends `Sec-Fetch-Site`.

        Raises:
            OriginRefusedError: the page belongs neither to this platform nor to CORS_ALLOWED_ORIGINS.
        """
        origin = call.metadata.get("origin", "")
        site = call.metadata.get("sec-fetch-site", "")
        if not origin and site not in _FOREIGN_SITES:
            return
        host = call.metadata.get("x-forwarded-host", "")
        if origin and (origin in self._origins or _find_host(origin) == host.lower()):
            return
        raise OriginRefusedError(
            f"{f'origin {origin}' if origin else f'a page that is {site}'} may not sign in here or write with a "
            "cookie; CORS_ALLOWED_ORIGINS names the other sites that may"
        )

    @staticmethod
    def _find_token(call: Call) -> str:
        header = call.metadata.get("authorization", "")
        if header:
            scheme, _, token = header.partition(" ")
            # A header that is no bearer token is verified as it is, and refused: it must not fall back to the cookie.
            return token.strip() if scheme.lower() == "bearer" and token.strip() else header
        token = call.find_cookie(ACCESS_COOKIE)
        call.via_cookie = bool(token)
        return token

    @staticmethod
    def _check_access(caller: Caller, rule: Rule) -> None:
        if rule.access == access_pb2.ACCESS_INTERNAL:
            # Not even an administrator: internal RPCs trust what their callers have checked.
            if caller.service not in rule.callers:
                raise ServiceOnlyError("only services of the platform may call this")
            return
        if caller.service or caller.user is None:
            raise ServiceOnlyError("services may not call this")
        needed = rule.scope
        if needed is None:
            raise ForbiddenError("this call declares no access")
        if needed == "admin" and not caller.user.is_staff:
            raise AdminRequiredError("Admin privileges required")
        scopes = caller.user.scopes
        if needed not in scopes and not (needed == "read" and scopes):
            raise ScopeMissingError(f"the API token lacks the scope {needed}")


def _find_host(origin: str) -> str | None:
    """Return host and port of an origin; None where it has none: `null`, or what is no URL at all."""
    try:
        return urlsplit(origin).netloc.lower() or None
    except ValueError:
        return None
