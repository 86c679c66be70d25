"""Signing keys of access tokens and their rotation.

A new key is published for some minutes before it is used, so that every verifier knows it by then; an old one is
published until the last of its tokens has expired.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from datetime import datetime, timedelta
from math import floor

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.auth.domain.credentials import Authentication, SigningKey, encode_base64url
from services.auth.domain.entities import Account
from services.auth.domain.interfaces import SigningKeyStore
from services.common.core.clock import Clock, now
from services.common.core.errors import UnavailableError
from services.common.identity.tokens import ACCESS_TOKEN_S, AUDIENCE, ISSUER
from services.common.messaging.schedule import Periodic

PUBLISHED_BEFORE = timedelta(
    minutes=10
)  # replicas read the keys every minute, verifiers within seconds of need
_REFRESH = timedelta(minutes=1)  # a tenth of the time that a key is published before it is used
_READ_AGAIN_S = 1.0  # least time between two reads for unknown key ids, which anybody can invent


class SigningKeyMissingError(UnavailableError):
    """No key can sign yet."""


class SigningKeys:
    """The signing keys in the memory of this process, reloaded every minute; implements `AccessTokens`.

    Args:
        store: the keys in the database, shared by all replicas.
        lifetime: time for which a key is used.
    """

    def __init__(self, store: SigningKeyStore, *, lifetime: timedelta, clock: Clock = now) -> None:
        self._store = store
        self._lifetime = lifetime
        self._clock = clock
        self._keys: dict[str, SigningKey] = {}
        self._loaded_at = 0.0
        self._private: tuple[str, Ed25519PrivateKey] | None = None

    async def load(self) -> None:
        """Read the keys; create one when none can be used, or the newest is older than the lifetime."""
        await self.rotate(signs_before=self._clock() - self._lifetime)

    async def rotate(self, *, signs_before: datetime) -> bool:
        """Create a key unless one is used from `signs_before` or later; return whether one was created."""
        added = False
        if not await self._has_recent(signs_before):
            new = make_signing_key(self._clock() + PUBLISHED_BEFORE)
            added = await self._store.add_key(new, signs_before=signs_before)
            await self._read()
        return added

    async def replace(self) -> None:
        """Delete every key and create one that is used at once. Verifiers trust the old ones until they restart."""
        await self._store.drop_keys()
        await self._read()
        await self.load()

    def plan_refresh(self) -> Periodic:
        """Plan the reload of the keys, which each replica has in memory, and the removal of expired ones."""

        async def refresh() -> None:
            await self.load()
            await self._store.prune()

        return Periodic(name="signing_keys", interval=_REFRESH, function=refresh, in_every_process=True)

    async def find_key(self, kid: str) -> Ed25519PublicKey | None:
        """Find the public key of a key id; read the database, at most every second, for an unknown one."""
        if kid not in self._keys and time.monotonic() - self._loaded_at >= _READ_AGAIN_S:
            await self._read()
        key = self._keys.get(kid)
        return None if key is None else Ed25519PublicKey.from_public_bytes(key.public)

    async def list_published(self) -> list[SigningKey]:
        """See `PublishedKeys.list_published`."""
        if not self._keys:
            await self.load()
        return list(self._keys.values())

    async def sign(
        self, account: Account, *, session: str, read_at: datetime, authentication: Authentication
    ) -> str:
        """See `AccessTokens.sign`."""
        # `iat` has whole seconds. It must be later than the second up to which earlier tokens were revoked.
        issued = max(floor(read_at.timestamp()), floor(account.valid_after) + 1)
        # A verifier refuses an `iat` in the future.
        wait = issued - self._clock().timestamp()
        if wait > 0:
            await asyncio.sleep(min(wait, 1.0))
        kid, private = await self._signing_key()
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(account.id),
            "name": account.username,
            "staff": account.is_staff,
            "sid": session,
            "jti": secrets.token_hex(16),
            "typ": "access",
            "auth_time": floor(authentication.at.timestamp()),
            "amr": list(authentication.methods),
            "iat": issued,
            "exp": issued + ACCESS_TOKEN_S,
        }
        return jwt.encode(claims, private, algorithm="EdDSA", headers={"kid": kid})

    async def _signing_key(self) -> tuple[str, Ed25519PrivateKey]:
        if not self._keys:
            await self.load()
        current = self._clock()
        usable = [key for key in self._keys.values() if key.private and key.signs_from <= current]
        if not usable:
            raise SigningKeyMissingError("no key can sign access tokens yet", retry_after=2)
        newest = max(usable, key=lambda key: key.signs_from)
        # The private key is parsed once, not for every token.
        if self._private is None or self._private[0] != newest.kid:
            loaded = serialization.load_pem_private_key((newest.private or "").encode(), password=None)
            if not isinstance(loaded, Ed25519PrivateKey):
                raise SigningKeyMissingError(f"the key {newest.kid} is no Ed25519 key")
            self._private = (newest.kid, loaded)
        return self._private

    async def _has_recent(self, signs_before: datetime) -> bool:
        await self._read()
        usable = (key for key in self._keys.values() if key.private and key.expires_at is None)
        return any(key.signs_from >= signs_before for key in usable)

    async def _read(self) -> None:
        self._keys = {key.kid: key for key in await self._store.list_keys()}
        self._loaded_at = time.monotonic()


def make_signing_key(signs_from: datetime) -> SigningKey:
    """Create a key pair; its id is the thumbprint of the public key (RFC 8037)."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    thumbprint = hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{encode_base64url(public)}"}}'.encode())
    return SigningKey(
        kid=encode_base64url(thumbprint.digest()),
        public=public,
        private=pem.decode(),
        signs_from=signs_from,
        expires_at=None,
    )
