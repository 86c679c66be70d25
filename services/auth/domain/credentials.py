"""Sessions, tokens, keys and one-time links. Random tokens are stored as hashes only."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.auth.domain.entities import Account

REFRESH_TOKEN_TTL = timedelta(days=7)  # a browser that is used once a week stays signed in
# Two tabs refresh at once, or an answer is lost and the client retries: within this time the same successor is returned.
# A longer time would help an attacker who stole a token.
REPETITION_TTL = timedelta(seconds=30)


def encode_base64url(data: bytes) -> str:
    """Encode as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hash_token(token: str) -> str:
    """Return the stored form of a random token: SHA-256 in hex."""
    # A fast hash is enough: the tokens have 256 random bits, which nobody can guess.
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class NewOneTimeLink:
    """A one-time link to store.

    Attributes:
        user_id: account whose password it sets; None: it creates an account.
        is_staff: whether that account becomes administrator.
        issued_by: issuer, in words.
    """

    token_hash: str
    user_id: int | None
    is_staff: bool
    issued_by: str
    expires_at: datetime


@dataclass(frozen=True)
class OneTimeLink:
    """A one-time link that can be redeemed; see `NewOneTimeLink`."""

    user_id: int | None
    is_staff: bool
    issued_by: str


@dataclass(frozen=True)
class IssuedLink:
    """A one-time link as its issuer gets it."""

    token: str
    link: str
    expires_at: datetime


@dataclass(frozen=True)
class NewRefreshToken:
    """A refresh token to store. `family` is the id of its session."""

    token_hash: str
    family: str
    expires_at: datetime


@dataclass(frozen=True)
class Client:
    """The program that signs in: its address, or of IPv6 its network, and its User-Agent."""

    address: str
    user_agent: str = ""


@dataclass(frozen=True, kw_only=True)
class UserSession:
    """A session that has not ended. `id` names its family of refresh tokens."""

    id: str
    client: Client
    created_at: datetime
    expires_at: datetime
    authenticated_at: datetime
    last_used_at: datetime


@dataclass(frozen=True)
class SignedIn:
    """Access and refresh token of a session; `expires_in` is the life of the access token in seconds."""

    access: str
    refresh: str
    expires_in: int
    account: Account
    session: str


@dataclass(frozen=True)
class Revocation:
    """Credentials named by `key` (`jti.…`, `sid.…`, `user.…`), refused if issued up to `cutoff`, in epoch seconds."""

    key: str
    cutoff: float


@dataclass(frozen=True)
class Authentication:
    """Time and method of the last proof of identity in a session; methods are RFC 8176 names (`pwd`)."""

    at: datetime
    methods: tuple[str, ...] = ("pwd",)


@dataclass(frozen=True)
class Rotated:
    """The result of exchanging a refresh token.

    Attributes:
        refresh: its successor: the new token, or the one that the first of several simultaneous exchanges got.
    """

    account: Account
    session: str
    authentication: Authentication
    refresh: str


@dataclass(frozen=True)
class Reused:
    """A refresh token was used again after `REPETITION_TTL`; its family has ended."""

    revocations: tuple[Revocation, ...]


@dataclass(frozen=True, kw_only=True)
class NewApiToken:
    """An API token to add.

    Attributes:
        parent_id: the API token that created it; None where a session did. It ends with its parent.
    """

    user_id: int
    name: str
    scopes: tuple[str, ...]
    token_hash: str
    expires_at: datetime
    parent_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class ApiToken:
    """A personal API token, without the token itself."""

    id: int
    user_id: int
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """A key pair that access tokens are signed with.

    Attributes:
        private: PEM; None where it cannot be opened: the key is published only.
        signs_from: start of its use; it is published before.
        expires_at: end of its publication; None while it signs or will sign.
    """

    kid: str
    public: bytes
    private: str | None
    signs_from: datetime
    expires_at: datetime | None

    @property
    def x(self) -> str:
        """The public key as a JSON Web Key has it."""
        return encode_base64url(self.public)
