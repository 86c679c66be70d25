"""Access tokens: their public keys and their verification."""

from __future__ import annotations

from services.auth.domain.adapters import CredentialVerifier, PublishedKeys
from services.auth.domain.credentials import SigningKey
from services.auth.domain.errors import AccessTokenInvalidError


async def get_jwks(keys: PublishedKeys) -> list[SigningKey]:
    """Return the keys whose public halves are published, oldest first."""
    return await keys.list_published()


async def verify_token(verifier: CredentialVerifier, token: str) -> None:
    """Check that a token is a valid access token of a user, not of a service.

    Raises:
        CredentialsInvalidError: it is forged, expired or revoked.
        AccessTokenInvalidError: it is not an access token.
    """
    caller = await verifier.verify(token)
    if caller.user is None or caller.service:
        raise AccessTokenInvalidError("the token is not an access token")
