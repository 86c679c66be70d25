"""Accounts, audit entries and pages of lists. All are frozen and valid once constructed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from services.common.core.parsing import Patch


@dataclass(frozen=True, kw_only=True)
class AccountQuota:
    """Limits for a user's apps together; None is the platform's default. Memory in MB, disk in GB."""

    apps: int | None = None
    memory: int | None = None
    cores: int | None = None
    disk: int | None = None


@dataclass(frozen=True, kw_only=True)
class Account:
    """A user's account.

    Attributes:
        valid_after: access tokens issued up to this time, in epoch seconds, are revoked.
        notice: message shown to the user at the next sign-in; empty: none.
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
        """Quota that an administrator set for this account."""
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
class ProfileChanges(Patch):
    """Changes that a user makes to the own profile."""

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    bio: str | None = None
    avatar: str | None = None
    preferred_theme: str | None = None


@dataclass(frozen=True, kw_only=True)
class AccountChanges(Patch):
    """Changes that an administrator makes to an account. `quota` replaces the whole quota."""

    is_staff: bool | None = None
    is_active: bool | None = None
    quota: AccountQuota | None = None


@dataclass(frozen=True, kw_only=True)
class Registration:
    """Fields of a new account, or of a new password for an account.

    Attributes:
        password_field: field of the request that the password came in, for violations.
        repeated: the password again; empty where it was entered once.
    """

    username: str
    email: str
    password: str
    password_field: str = "password"  # noqa: S105 - the name of the field
    repeated: str = ""
    first_name: str = ""
    last_name: str = ""


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


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """Filter of the audit log; what is empty or None selects every entry.

    Attributes:
        user: name, exact.
        action: exact.
        target: words that stand in the target of an entry: an id, or kind and id.
        since: the earliest time.
    """

    user: str = ""
    action: str = ""
    target: str = ""
    since: datetime | None = None


@dataclass(frozen=True)
class Page:
    """A part of a list: `number` from 1, `size` entries at most; or, with `after`, what comes behind the entry of that id."""

    number: int
    size: int
    after: int = 0

    @property
    def offset(self) -> int:
        """Number of entries before it."""
        return (self.number - 1) * self.size
