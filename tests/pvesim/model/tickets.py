"""Tickets and CSRF tokens: signed names with a time in them; API tokens: a secret compared."""

import base64
import hashlib
import hmac
import re

from tests.pvesim.model.cluster import Cluster
from tests.pvesim.model.errors import ApiError

LIFETIME = 2 * 3600
CONSOLE_LIFETIME = 10
BAD_LOGIN = "Authentication failed!"


def sign(cluster: Cluster, text: str) -> str:
    """A signature of a text under the cluster's key."""
    digest = hmac.new(cluster.secret.encode(), text.encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode().rstrip("=")


def make_ticket(cluster: Cluster, user: str, *, kind: str = "PVE", extra: str = "") -> str:
    """`PVE:root@pam:6B024ACF::signature`."""
    text = f"{kind}:{user}:{int(cluster.now()):08X}"
    return f"{text}::{sign(cluster, text + extra)}"


def read_ticket(
    cluster: Cluster, ticket: str, *, kind: str = "PVE", extra: str = "", lifetime: int = LIFETIME
) -> str | None:
    """The user that a ticket names, None unless it is genuine and young enough."""
    found = re.fullmatch(r"(\w+):([^:]+):([0-9A-F]{8})::(.+)", ticket)
    if not found or found[1] != kind:
        return None
    if not hmac.compare_digest(sign(cluster, ticket.partition("::")[0] + extra), found[4]):
        return None
    age = cluster.now() - int(found[3], 16)
    return found[2] if -300 <= age <= lifetime and is_enabled(cluster, found[2]) else None


def is_enabled(cluster: Cluster, user: str) -> bool:
    """Whether an account exists, is enabled and has not expired."""
    account = cluster.users.get(user)
    return account is not None and bool(account.enable) and not 0 < account.expire < cluster.now()


def make_csrf(cluster: Cluster, user: str) -> str:
    """The token that writes with a cookie need."""
    stamp = f"{int(cluster.now()):08X}"
    return f"{stamp}:{sign(cluster, f'csrf:{stamp}:{user}')}"


def is_csrf(cluster: Cluster, user: str, token: str) -> bool:
    """Whether a CSRF token is that user's."""
    stamp, _, signature = token.partition(":")
    return hmac.compare_digest(sign(cluster, f"csrf:{stamp}:{user}"), signature)


def check_password(cluster: Cluster, user: str, password: str) -> bool:
    """Whether a password, or a ticket in its place, is that user's."""
    if password.startswith("PVE:"):
        return read_ticket(cluster, password) == user
    account = cluster.users.get(user)
    return (
        account is not None
        and bool(account.password)
        and is_enabled(cluster, user)
        and account.password == password
    )


def identify(cluster: Cluster, *, verb: str, cookie: str | None, authorization: str, csrf: str) -> str:
    """The user of a request.

    Raises:
        ApiError: 401 with an empty body.
    """
    if authorization.startswith("PVEAPIToken="):
        return _identify_token(cluster, authorization.removeprefix("PVEAPIToken="))
    if not cookie:
        raise ApiError(401, "No ticket", empty=True)
    user = read_ticket(cluster, cookie)
    if user is None:
        raise ApiError(401, BAD_LOGIN, empty=True)
    if verb not in {"GET", "HEAD"} and not is_csrf(cluster, user, csrf):
        raise ApiError(401, "Permission denied - invalid csrf token", empty=True)
    return user


def _identify_token(cluster: Cluster, text: str) -> str:
    full, _, secret = text.partition("=")
    token = cluster.tokens.get(full)
    good = (
        token is not None
        and hmac.compare_digest(token.secret, secret)
        and is_enabled(cluster, token.userid)
        and not 0 < token.expire < cluster.now()
    )
    if not good:
        raise ApiError(401, BAD_LOGIN, empty=True)
    return full
