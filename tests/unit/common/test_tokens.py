"""Whose a token is, while clocks differ and rights change."""

from __future__ import annotations

import time
from dataclasses import replace

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from proximity.auth.v1 import auth_service_pb2

from services.clients.auth.verification import AuthClient
from services.common.identity.keys import ServiceSigner
from services.common.identity.tokens import Caller, CredentialsInvalidError, Revocations, TokenVerifier, User
from services.common.rpc.call import Call
from services.common.rpc.client import Clients
from services.common.rpc.interceptors.authorization import Guard

KEY = Ed25519PrivateKey.generate()
ADMIN = User(7, "alice", is_staff=True)


async def find_key(_: str) -> Ed25519PublicKey:
    return KEY.public_key()


async def refuse(_: str) -> Caller:
    raise CredentialsInvalidError("the API token is not valid")


def make_verifier() -> TokenVerifier:
    return TokenVerifier("apps", {"auth": KEY.public_key()}, find_key, Revocations(), refuse)


def make_token(*, ahead: float, lives: float = 60) -> str:
    issued = time.time() + ahead
    claims = {"iss": "proximity", "aud": "proximity", "sub": "7", "name": "alice", "staff": False, "jti": "j"}
    claims |= {"typ": "access", "iat": int(issued), "exp": int(issued + lives)}
    return jwt.encode(claims, KEY, algorithm="EdDSA", headers={"kid": "k"})


async def test_a_token_of_a_clock_that_is_a_little_ahead_is_valid() -> None:
    assert (await make_verifier().verify(make_token(ahead=3))).user == User(7, "alice", is_staff=False)
    with pytest.raises(CredentialsInvalidError):
        await make_verifier().verify(make_token(ahead=60))


async def test_no_token_lives_longer_than_it_says() -> None:
    with pytest.raises(CredentialsInvalidError, match="expired"):
        await make_verifier().verify(make_token(ahead=-65))


def test_revocations_of_what_has_ended_by_itself_are_forgotten() -> None:
    revocations, current = Revocations(), time.time()
    revocations.revoke("sid.mine", current + 3600)
    for number in range(30_000):
        revocations.revoke(f"sid.{number}", current - 4000)
    assert len(revocations._cutoffs) <= 20_000
    assert revocations.is_revoked(Caller(session="mine", issued_at=current))


class SlowAuth(Clients):
    """Auth, whose answer is a while on its way; the user is deactivated meanwhile."""

    def __init__(self, revocations: Revocations) -> None:
        super().__init__(ServiceSigner("apps", KEY), lambda _: "127.0.0.1:1")
        self.revocations = revocations

    async def call(self, *_: object, **__: object) -> auth_service_pb2.AuthenticateApiTokenResponse:
        answer = auth_service_pb2.AuthenticateApiTokenResponse(user_id=7, username="alice", token_id=3)
        self.revocations.revoke("user.7", time.time())
        return answer


async def test_a_revocation_while_auth_answers_for_an_api_token_counts() -> None:
    revocations = Revocations()
    asking = AuthClient(SlowAuth(revocations))
    verifier = TokenVerifier("apps", {}, find_key, revocations, asking.authenticate_api_token)
    with pytest.raises(CredentialsInvalidError, match="revoked"):
        await verifier.verify("prx_x")


async def test_a_stream_of_an_administrator_ends_when_he_is_none_any_more() -> None:
    known = Caller(user=ADMIN, expires_at=time.time() + 60)
    users = [known]

    async def authenticate(_: str) -> Caller:
        return users[-1]

    verifier = TokenVerifier("apps", {}, find_key, Revocations(), authenticate)
    guard = Guard(verifier)
    call = Call("/x", {"authorization": "Bearer prx_x"}, caller=known)
    await guard.recheck(call)
    verifier._cache.clear()  # it is asked for again every minute
    users.append(replace(known, user=replace(ADMIN, is_staff=False)))
    with pytest.raises(CredentialsInvalidError, match="allow less"):
        await guard.recheck(call)
