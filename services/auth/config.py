"""Settings of auth."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from services.auth.domain.passwords import find_faults
from services.common.config import ServiceSettings, parse_bool, parse_int, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuthSettings(ServiceSettings):
    """What auth needs to run."""

    allow_registration: bool = setting(
        "ALLOW_REGISTRATION", default=True, parse=parse_bool, doc="Whether anybody may make an account."
    )
    admin_username: str = setting(
        "PROXIMITY_ADMIN_USERNAME", default="", doc="Administrator that is made when there is no account yet."
    )
    admin_password: str = setting(
        "PROXIMITY_ADMIN_PASSWORD", default="", doc="Password of that administrator.", secret=True
    )
    login_failures_per_account: int = setting(
        "LOGIN_FAILURES_PER_ACCOUNT",
        default=5,
        parse=parse_int(1, 1000),
        doc="Wrong passwords for an account before the next attempt has to wait.",
    )
    login_failures_per_address: int = setting(
        "LOGIN_FAILURES_PER_ADDRESS",
        default=50,
        parse=parse_int(1, 100_000),
        doc="Wrong passwords from an address before the next attempt has to wait.",
    )
    registrations_per_address: int = setting(
        "REGISTRATIONS_PER_ADDRESS",
        default=100,
        parse=parse_int(1, 100_000),
        doc="Accounts made from an address before the next has to wait.",
    )
    password_threads: int = setting(
        "PASSWORD_THREADS", default=2, parse=parse_int(1, 64), doc="How many passwords are hashed at once."
    )
    signing_key_days: int = setting(
        "SIGNING_KEY_DAYS", default=30, parse=parse_int(1, 3650), doc="How long a key signs access tokens."
    )

    def find_weaknesses(self) -> Iterator[tuple[str, str]]:
        """See `ServiceSettings.find_weaknesses`."""
        yield from super().find_weaknesses()
        for fault in find_faults(self.admin_password, self.admin_username) if self.admin_password else ():
            yield "", f"PROXIMITY_ADMIN_PASSWORD: {fault}"
