"""Keys of the services: their own, by which they sign tokens, and those that seal secrets at rest.

A service's token names itself and the service it is meant for and, when it acts for a user, that user; `tokens`
verifies it.

Secrets at rest are sealed by AES-256-GCM under a versioned key, bound to the row that they belong to. A sealed value is
`v<key id>.<nonce + ciphertext, base64>`. The key id is derived from the secret, so rotating SECRET_KEY needs no
bookkeeping: old values name the key that opens them. The place (`hosts.password.7`) is authenticated with the value: a
value moved to another row, column or table does not open.
"""

from __future__ import annotations

import base64
import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jwt
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from services.common.core.errors import SealBrokenError
from services.common.identity.tokens import SERVICE_ISSUER, User
from services.registry import SERVICES

SERVICE_TOKEN_S = 60  # a stolen token is of use for a minute; each is reused for half of it


class ServiceSigner:
    """Signs this service's own tokens.

    Args:
        service: its name.
        key: its private key.
    """

    def __init__(self, service: str, key: Ed25519PrivateKey) -> None:
        self._service = service
        self._key = key
        self._cache: dict[tuple[str, User | None], tuple[float, str]] = {}

    def sign(self, audience: str, *, user: User | None = None) -> str:
        """A token for calling the service `audience`, for `user` or for itself; valid for 30-60 seconds."""
        known = self._cache.get((audience, user))
        issued = time.time()
        if known is not None and known[0] > issued + SERVICE_TOKEN_S / 2:
            return known[1]
        claims: dict[str, Any] = {
            "iss": SERVICE_ISSUER,
            "sub": self._service,
            "aud": audience,
            "iat": int(issued),
            "exp": int(issued) + SERVICE_TOKEN_S,
        }
        if user is not None:
            claims["act"] = {
                "id": user.id,
                "name": user.username,
                "staff": user.is_staff,
                "scopes": list(user.scopes),
            }
        token = jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": f"service:{self._service}"})
        # One entry per user and service; starting over is cheaper than evicting.
        if len(self._cache) > 1000:
            self._cache.clear()
        self._cache[(audience, user)] = (issued + SERVICE_TOKEN_S, token)
        return token


def read_service_keys(directory: Path, service: str) -> tuple[Ed25519PrivateKey, dict[str, Ed25519PublicKey]]:
    """Read this service's private key and every service's public key.

    Raises:
        FileNotFoundError: a key is missing.
        TypeError: a file is no Ed25519 key.
    """
    private = serialization.load_pem_private_key((directory / f"{service}.key").read_bytes(), password=None)
    if not isinstance(private, Ed25519PrivateKey):
        raise TypeError(f"{directory / f'{service}.key'} is no Ed25519 key")
    publics: dict[str, Ed25519PublicKey] = {}
    for name in SERVICES:
        public = serialization.load_pem_public_key((directory / f"{name}.pub").read_bytes())
        if not isinstance(public, Ed25519PublicKey):
            raise TypeError(f"{directory / f'{name}.pub'} is no Ed25519 key")
        publics[name] = public
    return private, publics


def make_service_keys(directory: Path) -> None:
    """Make the key pairs that are missing; only the owner can read the private ones."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in SERVICES:
        private_file = directory / f"{name}.key"
        if private_file.exists():
            continue
        key = Ed25519PrivateKey.generate()
        # The mode is set before there is anything to read.
        private_file.touch(mode=0o600)
        private_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        (directory / f"{name}.pub").write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )


class Sealer:
    """Seals and opens secrets.

    Args:
        secret_key: the current secret; new values are sealed with it.
        previous: former secrets, which still open their values.
    """

    def __init__(self, secret_key: str, *, previous: Sequence[str] = ()) -> None:
        self._keys: dict[str, AESGCM] = {}
        # The current secret comes last, so that its id is the one that stays.
        for secret in (*previous, secret_key):
            key = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"proximity sealing v1").derive(
                secret.encode()
            )
            self._current = hashlib.sha256(b"key id" + key).hexdigest()[:8]
            self._keys[self._current] = AESGCM(key)

    def seal(self, value: str, *, place: str) -> str:
        """Seal `value` for `place` (`table.column.row`)."""
        # 96 random bits: a repetition is unlikely before 2**32 values under one key (NIST SP 800-38D).
        nonce = os.urandom(12)
        ciphertext = self._keys[self._current].encrypt(nonce, value.encode(), place.encode())
        return f"v{self._current}.{base64.b64encode(nonce + ciphertext).decode()}"

    def open(self, sealed: str, *, place: str) -> str:
        """Open a value sealed for `place`.

        Raises:
            SealBrokenError: it was sealed with an unknown key, for another place, or is damaged.
        """
        version, _, encoded = sealed.partition(".")
        key = self._keys.get(version.removeprefix("v"))
        if key is None:
            raise SealBrokenError(place, f"is sealed with key {version}, which is not configured")
        try:
            data = base64.b64decode(encoded, validate=True)
            return key.decrypt(data[:12], data[12:], place.encode()).decode()
        except (ValueError, InvalidTag) as error:
            raise SealBrokenError(place, "does not open") from error

    def is_current(self, sealed: str) -> bool:
        """Whether it is sealed with the current key."""
        return sealed.startswith(f"v{self._current}.")
