"""Cookies of browsers that are signed in, and their CSRF token."""

from __future__ import annotations

import re
import secrets

from services.auth.domain.credentials import REFRESH_TOKEN_TTL, SignedIn
from services.common.identity.tokens import ACCESS_TOKEN_S
from services.common.rpc.call import ACCESS_COOKIE, CSRF_COOKIE, REFRESH_COOKIE, Call
from services.common.rpc.interceptors.authorization import Guard

REFRESH_PATH = "/api/auth"
_REFRESH_S = int(
    REFRESH_TOKEN_TTL.total_seconds()
)  # the cookies live as long as the session without a refresh
_CSRF_FORM = re.compile(r"[A-Za-z0-9_-]{32,64}")


def set_session_cookies(call: Call, signed_in: SignedIn) -> None:
    """Set the pair of tokens as cookies, with a new CSRF token."""
    call.set_cookie(ACCESS_COOKIE, signed_in.access, max_age=signed_in.expires_in)
    # The browser sends the refresh token to auth only, and scripts read the CSRF token to send it as a header.
    call.set_cookie(REFRESH_COOKIE, signed_in.refresh, max_age=_REFRESH_S, path=REFRESH_PATH)
    call.set_cookie(CSRF_COOKIE, secrets.token_urlsafe(32), max_age=_REFRESH_S, http_only=False)


def refresh_session_cookies(call: Call, signed_in: SignedIn) -> None:
    """Set the next pair of tokens as cookies; the CSRF token stays, other tabs use it."""
    call.set_cookie(ACCESS_COOKIE, signed_in.access, max_age=signed_in.expires_in)
    call.set_cookie(REFRESH_COOKIE, signed_in.refresh, max_age=_REFRESH_S, path=REFRESH_PATH)
    set_csrf_cookie(call)


def refresh_access_cookie(call: Call, access: str) -> None:
    """Replace the access token of a browser that signed in with cookies; others get no cookie."""
    if call.via_cookie:
        call.set_cookie(ACCESS_COOKIE, access, max_age=ACCESS_TOKEN_S)


def clear_session_cookies(call: Call) -> None:
    """Remove all three cookies."""
    call.set_cookie(ACCESS_COOKIE, "", max_age=0)
    call.set_cookie(REFRESH_COOKIE, "", max_age=0, path=REFRESH_PATH)
    call.set_cookie(CSRF_COOKIE, "", max_age=0, http_only=False)


def set_csrf_cookie(call: Call) -> None:
    """Set a CSRF token, the one that the browser has if it has one."""
    known = call.find_cookie(CSRF_COOKIE)
    value = known if _CSRF_FORM.fullmatch(known) else secrets.token_urlsafe(32)
    call.set_cookie(CSRF_COOKIE, value, max_age=_REFRESH_S, http_only=False)


def find_refresh_token(call: Call, sent: str, *, guard: Guard) -> str:
    """Return the refresh token of the body, or else of the cookie; empty where there is none.

    Raises:
        CsrfRejectedError, OriginRefusedError: the cookie came without its CSRF token, or from a foreign page.
    """
    cookie = call.find_cookie(REFRESH_COOKIE)
    if sent or not cookie:
        return sent
    guard.check_csrf(call)
    return cookie


def check_csrf_of_session(call: Call, *, guard: Guard) -> None:
    """Check the CSRF token of a public RPC whose caller has a session by cookie; the guard checks other RPCs.

    Raises:
        CsrfRejectedError, OriginRefusedError: the cookie came without its CSRF token, or from a foreign page.
    """
    if call.via_cookie and call.caller.session:
        guard.check_csrf(call)
