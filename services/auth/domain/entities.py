"""Accounts, sessions, API tokens and audit entries. All frozen; who holds one holds a valid one."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

DEFAULT_THEME = "rack_proximity"
REFRESH_TOKEN_TTL = timedelta(days=7)
# A used refresh token gets its successor again for so long: two tabs refresh at once, or an answer was lost and the
# client tries again. Longer would help who stole a token.
REPETITION_TTL = timedelta(seconds=30)


def encode_base64url(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hash_token(token: str) -> str:
    """Return the form in which random tokens are stored: SHA-256 in hex."""
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class AccountQuota:
    """What a user's apps may take together; None is the platform's default. Memory in MB, disk in GB."""

    apps: int | None = None
    memory: int | None = None
    cores: int | None = None
    disk: int | None = None


@dataclass(frozen=True, kw_only=True)
class Account:
    """A user's account.

    Attributes:
        valid_after: access tokens issued up to this time, in epoch seconds, are revoked.
        notice: what the user learns at the next sign-in; empty: nothing.
    """

    id: int
    username: str
    email: str
    password_hash: str
    first_name: str
    last_name: str
    avatar: str
    bio: str
    preferred_theme: str
    is_staff: bool
    is_active: bool
    date_joined: datetime
    last_login: datetime | None
    valid_after: float
    quota_apps: int | None = None
    quota_memory: int | None = None
    quota_cores: int | None = None
    quota_disk: int | None = None
    notice: str = ""

    @property
    def quota(self) -> AccountQuota:
        """What an administrator set for this account."""
        return AccountQuota(
            apps=self.quota_apps, memory=self.quota_memory, cores=self.quota_cores, disk=self.quota_disk
        )


@dataclass(frozen=True, kw_only=True)
class NewAccount:
    """An account to add. `is_staff` None makes it administrator if it is the first."""

    username: str
    email: str
    password_hash: str
    first_name: str = ""
    last_name: str = ""
    is_staff: bool | None = None
    quota: AccountQuota | None = None


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What somebody fills in to get an account, or a new password for one."""

    username: str
    email: str
    password: str
    password_field: str = "password"  # noqa: S105 - the name of the field
    repeated: str = ""
    first_name: str = ""
    last_name: str = ""


@dataclass(frozen=True, kw_only=True)
class NewOneTimeLink:
    """A one-time link to store: only the hash of its token is.

    Attributes:
        user_id: whose password it sets; None: it makes an account.
        is_staff: whether that account becomes administrator.
        issued_by: who made it, in words.
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
    """A one-time link as the one who made it gets it."""

    token: str
    link: str
    expires_at: datetime


@dataclass(frozen=True)
class NewRefreshToken:
    """A refresh token to store: only its hash is."""

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
    """What signing in or refreshing gives."""

    access: str
    refresh: str
    expires_in: int
    account: Account
    session: str


@dataclass(frozen=True)
class Revocation:
    """What `key` (`jti.…`, `sid.…`, `user.…`) names is refused if it was issued up to `cutoff`, in epoch seconds."""

    key: str
    cutoff: float


@dataclass(frozen=True)
class Authentication:
    """When the user of a session last proved their identity, and how: RFC 8176 names (`pwd`)."""

    at: datetime
    methods: tuple[str, ...] = ("pwd",)


@dataclass(frozen=True)
class Rotated:
    """A refresh token was exchanged.

    Attributes:
        refresh: its successor: the new token, or the one that the first of several simultaneous exchanges got.
    """

    account: Account
    session: str
    authentication: Authentication
    refresh: str


@dataclass(frozen=True)
class Reused:
    """A refresh token was used again, later than a repetition comes; its family is ended."""

    revocations: tuple[Revocation, ...]


@dataclass(frozen=True, kw_only=True)
class NewApiToken:
    """An API token to add: only its hash is stored.

    Attributes:
        parent_id: the API token that made it; None where a session did. It ends with its parent.
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
        private: PEM, None where it is published only.
        signs_from: from when on it signs; it is published before.
        expires_at: until when it is published; None while it signs or will sign.
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


@dataclass(frozen=True, kw_only=True)
class NewAuditEntry:
    """A call to record. The same `message_id` is recorded once."""

    message_id: str
    timestamp: datetime
    user_id: int | None
    username: str
    action: str
    target: str
    address: str
    outcome: str


@dataclass(frozen=True, kw_only=True)
class AuditEntry(NewAuditEntry):
    """An entry of the audit log; ids have no gaps, `hash` covers it and all before it."""

    id: int
    hash: str


@dataclass(frozen=True)
class Page:
    """A part of a list: `number` from 1, `size` entries at most."""

    number: int
    size: int

    @property
    def offset(self) -> int:
        """How many entries come before it."""
        return (self.number - 1) * self.size
