"""Everybody who may try to call an RPC, and what the rules give them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import requests

from deploy.local.api import Api
from services.common.identity.keys import ServiceSigner, read_service_keys
from services.common.identity.tokens import User
from services.registry import SERVICES
from tests.e2e.stack import PASSWORD, USERNAME, RunningStack
from tests.security.rpcs import Rpc

GOOD_PASSWORD = "a-Long-phrase-77"
REFUSED_AS = {
    "UNAUTHENTICATED": {"CREDENTIALS_MISSING", "CREDENTIALS_INVALID"},
    "PERMISSION_DENIED": {"ADMIN_REQUIRED", "SCOPE_MISSING", "SERVICE_ONLY"},
}


@dataclass(frozen=True)
class Principal:
    """Somebody with credentials.

    Attributes:
        user_id: 0 for nobody and for services.
        service: the name of a service that calls with its own token.
    """

    name: str
    token: str = field(repr=False, default="")
    user_id: int = 0
    is_staff: bool = False
    scopes: tuple[str, ...] = ("read", "write", "admin")
    service: str = ""
    signer: ServiceSigner | None = field(repr=False, default=None)
    acts_for: User | None = None
    renew: Callable[[], str] | None = field(repr=False, default=None)  # signs in once more

    def metadata(self, rpc: Rpc) -> tuple[tuple[str, str], ...]:
        """What it sends with a call."""
        token = self.signer.sign(rpc.service, user=self.acts_for) if self.signer else self.token
        return (("authorization", f"Bearer {token}"),) if token else ()


def expect(rpc: Rpc, who: Principal, owner_id: int) -> str:
    """What the options of an RPC promise: `admitted`, or the name of the code that refuses."""
    access, writes = rpc.access, rpc.rule.writes
    if access == "public":
        return "admitted"
    if not who.service and not who.user_id:
        return "UNAUTHENTICATED"
    if access == "internal":
        return "admitted" if who.service in rpc.rule.callers else "PERMISSION_DENIED"
    if who.service:
        return "PERMISSION_DENIED"
    if access == "admin":
        return "admitted" if who.is_staff and "admin" in who.scopes else "PERMISSION_DENIED"
    if writes and "write" not in who.scopes:
        return "PERMISSION_DENIED"
    sees_all = who.is_staff and "admin" in who.scopes
    if access == "owner" and who.user_id != owner_id and not sees_all:
        return "NOT_FOUND"
    return "admitted"


def register(stack: RunningStack) -> tuple[dict[str, Any], Api]:
    """A new user: what signing up answered, and a client signed in."""
    name = f"u{uuid.uuid4().hex[:10]}"
    body = {"username": name, "password": GOOD_PASSWORD, "email": f"{name}@example.org"}
    answer = requests.post(f"{stack.url}/api/auth/register", json=body, timeout=20)
    answer.raise_for_status()
    api = Api(stack.url)
    api.sign_in(name, GOOD_PASSWORD)
    found: dict[str, Any] = answer.json()
    return found, api


def make_api_token(api: Api, *scopes: str) -> str:
    """A personal API token."""
    body = {"name": f"t{uuid.uuid4().hex[:8]}", "scopes": list(scopes)}
    return str(api.send("POST", "/auth/tokens", body)["token"])


def sign_in(stack: RunningStack, username: str = USERNAME, password: str = PASSWORD) -> dict[str, Any]:
    """What signing in answers."""
    body = {"username": username, "password": password}
    answer = requests.post(f"{stack.url}/api/auth/login", json=body, timeout=20)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def make_renewal(
    stack: RunningStack, session: dict[str, Any], password: str = GOOD_PASSWORD
) -> Callable[[], str]:
    """A function that gives another access token to who signed in."""
    return lambda: str(sign_in(stack, session["user"]["username"], password)["access"])


def make_people(stack: RunningStack, owner: dict[str, Any], owner_api: Api) -> list[Principal]:
    """Nobody, users, administrators and API tokens of every scope."""
    other, other_api = register(stack)
    admin = sign_in(stack)
    admin_api = stack.sign_in()
    admin_id, owner_id, other_id = admin["user"]["id"], owner["user"]["id"], other["user"]["id"]
    people = [
        Principal("anonymous"),
        Principal("other", other["access"], other_id, renew=make_renewal(stack, other)),
        Principal("owner", owner["access"], owner_id, renew=make_renewal(stack, owner)),
        Principal(
            "admin", admin["access"], admin_id, is_staff=True, renew=make_renewal(stack, admin, PASSWORD)
        ),
        Principal(
            "other's token", make_api_token(other_api, "read", "write"), other_id, scopes=("read", "write")
        ),
    ]
    of_owner: list[tuple[str, ...]] = [("read",), ("write",), ("read", "write")]
    of_admin: list[tuple[str, ...]] = [("read",), ("write",), ("admin",), ("read", "write", "admin")]
    for scopes in of_owner:
        name = "+".join(scopes)
        people.append(
            Principal(f"owner's {name}", make_api_token(owner_api, *scopes), owner_id, scopes=scopes)
        )
    for scopes in of_admin:
        name = "+".join(scopes)
        token = make_api_token(admin_api, *scopes)
        people.append(Principal(f"admin's {name}", token, admin_id, is_staff=True, scopes=scopes))
    return people


def make_services(keys: Path, user: User) -> list[Principal]:
    """Every service, for itself and on behalf of an administrator."""
    found = []
    for name in SERVICES:
        private, _ = read_service_keys(keys, name)
        for on_behalf in (None, user):
            title = f"service {name}" + (" for an admin" if on_behalf else "")
            signer = ServiceSigner(name, private)
            found.append(Principal(title, service=name, signer=signer, acts_for=on_behalf))
    return found


def outcome_of(error: grpc.RpcError | None, reason: str) -> str:
    """`admitted`, or the code with which the guard or the ownership refused."""
    if error is None:
        return "admitted"
    code = error.code().name
    if code == "NOT_FOUND":
        return "NOT_FOUND"
    return code if reason in REFUSED_AS.get(code, set()) else "admitted"
