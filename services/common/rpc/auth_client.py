"""Keys and tokens as auth knows them, for the services that verify tokens."""

from __future__ import annotations

import asyncio
import base64
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf.empty_pb2 import Empty
from proximity.auth.v1 import auth_service_pb2, auth_service_pb2_grpc

from services.common.core.errors import DomainError, UnauthenticatedError, UnavailableError
from services.common.identity.tokens import Caller, CredentialsInvalidError, User
from services.common.rpc.client import Clients

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
                "auth", auth_service_pb2_grpc.AuthServiceStub, "GetJwks", Empty(), timeout=3
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
            answer = await self._clients.call("auth", stub, "AuthenticateApiToken", request, timeout=3)
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
            await self._clients.call("auth", stub, "VerifyToken", request, timeout=3)
        except UnauthenticatedError as error:
            raise CredentialsInvalidError(error.message) from error


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
