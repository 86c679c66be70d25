"""Protocols of what use cases need beside the stores: cryptography and the publication of revocations."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from services.auth.domain.credentials import Authentication, Revocation, SigningKey
from services.auth.domain.entities import Account
from services.common.identity.tokens import Caller


class PasswordHasher(Protocol):
    """Hash function for passwords, which runs for a few of them at a time."""

    def slot(self) -> AbstractAsyncContextManager[None]:
        """Wait for one of the few slots. Attempts at one password are serialized by what happens inside.

        Raises:
            TooManyAttemptsError: too many wait already.
        """

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Return whether the password is right; without a hash never, in the same time."""

    async def hash(self, password: str) -> str:
        """Hash a password."""

    def is_outdated(self, password_hash: str) -> bool:
        """Return whether a hash was made with other parameters than the current ones."""


class AccessTokens(Protocol):
    """Issuer of access tokens."""

    async def sign(
        self, account: Account, *, session: str, read_at: datetime, authentication: Authentication
    ) -> str:
        """Sign an access token for an account that was read at `read_at` or later: later revocations cover it.

        Waits up to a second when a token issued now would count as revoked.
        """


class PublishedKeys(Protocol):
    """Public halves of the signing keys."""

    async def list_published(self) -> list[SigningKey]:
        """List the keys to publish, oldest first."""


class CredentialVerifier(Protocol):
    """Verification of tokens."""

    async def verify(self, token: str) -> Caller:
        """Return the caller that a token belongs to.

        Raises:
            CredentialsInvalidError: forged, expired, revoked, or for another audience.
        """


class RevocationSink(Protocol):
    """Receiver of revocations that were committed."""

    def note_revoked(self, revocations: Sequence[Revocation]) -> None:
        """Refuse the credentials in this process, and publish the revocations to every service."""
