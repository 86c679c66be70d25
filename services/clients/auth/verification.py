"""Verification of tokens as auth offers it to the other services: keys, API tokens, and revocations through NATS."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf.empty_pb2 import Empty
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.kv import KeyValue
from proximity.auth.v1 import auth_service_pb2, auth_service_pb2_grpc

from services.common.core.errors import DomainError, UnauthenticatedError, UnavailableError
from services.common.core.log import get_logger
from services.common.identity.tokens import ACCESS_TOKEN_S, Caller, CredentialsInvalidError, Revocations, User
from services.common.messaging.bus import Bus
from services.common.messaging.streams import REVOCATIONS_BUCKET, REVOKED
from services.common.process.runtime import TokenSources
from services.common.rpc.client import Clients

log = get_logger()

_FOLLOW_AGAIN_S = 0.5  # before a lost watch is opened again; until then every check is a call to auth
_CLOCKS_S = 300.0  # clocks of machines differ by less
_KEY = re.compile(r"(jti|sid|user)\.[A-Za-z0-9_-]{1,100}")
_REMOVALS = frozenset({"DEL", "PURGE"})
_KEYS_REFRESH_S = 5.0  # the least time between two requests for keys: forged key ids must not flood auth


class AuthClient:
    """Keys and API tokens as auth knows them."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._refreshed_at = 0.0

    async def find_key(self, kid: str) -> Ed25519PublicKey | None:
        """The public key of a key id; asks auth for unknown ones, at most every 5 seconds."""
        loop = asyncio.get_running_loop()
        # A rotated key is unknown until the first token signed with it arrives.
        if kid not in self._keys and (
            not self._refreshed_at or loop.time() - self._refreshed_at >= _KEYS_REFRESH_S
        ):
            jwks = await self._clients.call(
                "auth", auth_service_pb2_grpc.AuthServiceStub, method="GetJwks", request=Empty(), timeout=3
            )
            self._refreshed_at = loop.time()
            for key in jwks.keys:
                self._keys[key.kid] = Ed25519PublicKey.from_public_bytes(_decode_base64url(key.x))
        return self._keys.get(kid)

    async def authenticate_api_token(self, token: str) -> Caller:
        """Return the caller behind an API token; the verifier caches it for 60 seconds at most."""
        request = auth_service_pb2.AuthenticateApiTokenRequest(token=token)
        stub = auth_service_pb2_grpc.AuthInternalServiceStub
        sent_at = time.time()
        try:
            answer = await self._clients.call(
                "auth", stub, method="AuthenticateApiToken", request=request, timeout=3
            )
        except UnavailableError:
            raise
        except DomainError as error:
            raise CredentialsInvalidError("the API token is not valid") from error
        return caller_of_api_token(answer, sent_at=sent_at)

    async def confirm(self, token: str) -> None:
        """Have auth say that an access token is valid and was not revoked.

        Raises:
            CredentialsInvalidError: it is not.
            UnavailableError: auth does not answer either.
        """
        request = auth_service_pb2.VerifyTokenRequest(token=token)
        stub = auth_service_pb2_grpc.AuthServiceStub
        try:
            await self._clients.call("auth", stub, method="VerifyToken", request=request, timeout=3)
        except UnauthenticatedError as error:
            raise CredentialsInvalidError(error.message) from error


def ask_auth(clients: Clients) -> TokenSources:
    """Have auth say what a process needs to verify tokens."""
    auth = AuthClient(clients)
    return TokenSources(
        find_key=auth.find_key,
        authenticate_api_token=auth.authenticate_api_token,
        watch_revocations=watch_revocations,
        confirm=auth.confirm,
    )


def caller_of_api_token(answer: auth_service_pb2.AuthenticateApiTokenResponse, *, sent_at: float) -> Caller:
    """Return the caller behind an API token, valid for 60 seconds.

    `sent_at` is the time before the request: a revocation that came while the answer was on its way counts.
    """
    expires = sent_at + 60
    if answer.HasField("expires_at"):
        expires = min(expires, answer.expires_at.ToSeconds())
    user = User(answer.user_id, answer.username, answer.is_staff, tuple(answer.scopes))
    return Caller(user=user, token_id=f"api-{answer.token_id}", issued_at=sent_at, expires_at=expires)


def _decode_base64url(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def watch_revocations(bus: Bus, revocations: Revocations) -> None:
    """Follow the revocations in NATS's key-value store for ever; begins again with all of them at every connection.

    A watcher of before a reconnection may be silent for ever: its consumer can be gone with the server that had it.
    """
    connected = asyncio.Event()

    async def note_connected() -> None:
        revocations.is_loaded = False
        connected.set()

    bus.on_connect(note_connected)
    stored: set[str] = set()
    while True:
        await bus.wait_connected(timeout=60)
        connected.clear()
        following = asyncio.ensure_future(_follow_revocations(bus, revocations, stored=stored))
        waiting = asyncio.ensure_future(connected.wait())
        try:
            await asyncio.wait({following, waiting}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            following.cancel()
            waiting.cancel()
            await asyncio.gather(following, waiting, return_exceptions=True)
        if not connected.is_set():
            await asyncio.sleep(_FOLLOW_AGAIN_S)


async def _follow_revocations(bus: Bus, revocations: Revocations, *, stored: set[str]) -> None:
    async def note(message: Msg) -> None:
        key, _, cutoff = message.data.partition(b" ")
        _revoke(revocations, key.decode(errors="replace"), value=cutoff)

    try:
        stop = await bus.listen(REVOKED, note)
        try:
            await _follow_bucket(await bus.key_value(REVOCATIONS_BUCKET), revocations, stored=stored)
        finally:
            with contextlib.suppress(NatsError, OSError):
                await stop()
    except (NatsError, TimeoutError, OSError, UnavailableError) as error:
        log.warning("revocations_interrupted", error=str(error) or type(error).__name__)


async def _follow_bucket(bucket: KeyValue, revocations: Revocations, *, stored: set[str]) -> None:
    """Follow a bucket; `stored` are the keys that it had, now and at the connection before."""
    watcher = await bucket.watchall()
    found: set[str] = set()
    try:
        async for entry in watcher:
            if entry is None:  # these were all that there are so far; what is missing was removed meanwhile
                for key in stored - found:
                    revocations.forget(key)
                stored.intersection_update(found)
                revocations.is_loaded = True
            elif entry.operation in _REMOVALS:
                revocations.forget(entry.key)
                stored.discard(entry.key)
            elif _revoke(revocations, entry.key, value=entry.value or b""):
                found.add(entry.key)
                stored.add(entry.key)
    finally:
        revocations.is_loaded = False  # until they are followed again, auth decides
        with contextlib.suppress(NatsError, TimeoutError, OSError):
            await asyncio.wait_for(watcher.stop(), 1)  # type: ignore[no-untyped-call]


def _revoke(revocations: Revocations, key: str, *, value: bytes) -> bool:
    """Revoke what an entry names; False where it is no revocation, which is logged and changes nothing."""
    try:
        revocations.revoke(key, parse_cutoff(key, value))
    except ValueError as error:
        log.warning("revocation_refused", key=key[:100], error=str(error))
        return False
    return True


def parse_cutoff(key: str, value: bytes) -> float:
    """Return the time, in epoch seconds, up to which what `key` names is revoked.

    Raises:
        ValueError: `key` names no token, session or user, or the time is none that auth would write.
    """
    kind = _KEY.fullmatch(key)
    if kind is None:
        raise ValueError("the key is not jti.<token>, sid.<session> or user.<id>")
    text = value[:40].decode(errors="replace")
    try:
        cutoff = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a time in epoch seconds") from None
    # A user may sign in again at once; a session and a token are over for as long as a token lives.
    latest = time.time() + _CLOCKS_S + (0 if kind[1] == "user" else ACCESS_TOKEN_S)
    if not 0 <= cutoff <= latest:  # NaN is not
        raise ValueError(f"{text} is not between 0 and {latest:.0f} epoch seconds")
    return cutoff
