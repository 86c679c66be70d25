"""The services' own keys: made once, read at start, and what is signed with them.

A service's token names itself and the service it is meant for and, when it acts for a user, that user; `tokens`
verifies it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

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
