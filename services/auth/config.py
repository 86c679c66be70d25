"""Settings of auth."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from urllib.parse import urlsplit

from services.auth.domain.limits import SignInLimits, make_limits
from services.auth.domain.names import find_name_fault, is_username
from services.auth.domain.passwords import find_faults
from services.auth.domain.registration import RegistrationPolicy
from services.common.core.config import ServiceSettings, setting
from services.common.core.parsing import parse_bool, parse_int


def parse_public_url(text: str) -> str:
    """Parse an http or https address without a path, query or user.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(text)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or text.rstrip("/") != f"{parts.scheme}://{parts.netloc}"
    ):
        raise ValueError(f"{text!r} is no address like https://proximity.example.org")
    # The address is shown in links that are sent by mail.
    if "@" in parts.netloc:
        raise ValueError("must not name a user or a password")
    return text.rstrip("/")


def parse_username(text: str) -> str:
    """Parse a name that an account may have.

    Raises:
        ValueError: it is none.
    """
    if not is_username(text):
        raise ValueError(f"{text!r} is not 1 to 150 of letters, digits and @.+-_")
    if fault := find_name_fault(text):
        raise ValueError(fault)
    return text


@dataclasses.dataclass(frozen=True, kw_only=True)
class AuthSettings(ServiceSettings):
    """Settings of the service auth."""

    allow_registration: bool | None = setting(
        "ALLOW_REGISTRATION",
        default=None,
        parse=parse_bool,
        doc="Whether anybody may register. Not set: yes with the simulated Proxmox; with a real host or `DEBUG=False` "
        "only until there is an administrator.",
    )
    use_mock_proxmox: bool = setting(
        "USE_MOCK_PROXMOX",
        default=False,
        parse=parse_bool,
        doc="The hosts are simulated; registration stays open.",
    )
    proxmox_host: str = setting("PROXMOX_HOST", default="", doc="With a real host, registration is closed.")
    admin_username: str = setting(
        "PROXIMITY_ADMIN_USERNAME",
        default="",
        parse=parse_username,
        doc="Administrator that is made when there is none yet.",
        needs=("PROXIMITY_ADMIN_PASSWORD",),
    )
    admin_password: str = setting(
        "PROXIMITY_ADMIN_PASSWORD",
        default="",
        doc="Password of that administrator.",
        secret=True,
        needs=("PROXIMITY_ADMIN_USERNAME",),
    )
    public_url: str = setting(
        "PUBLIC_URL",
        default="",
        parse=parse_public_url,
        doc="Address under which people reach the gateway (https://proximity.example.org): one-time links begin with it. "
        "Not set: links are paths.",
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
    audit_days: int = setting(
        "AUDIT_DAYS",
        default=365,
        parse=parse_int(0, 36_500),
        doc="Days after which entries of the audit log are removed, once a day; 0: never. `audit verify` still works.",
    )
    signing_key_days: int = setting(
        "SIGNING_KEY_DAYS", default=30, parse=parse_int(1, 3650), doc="How long a key signs access tokens."
    )

    @property
    def registration_policy(self) -> RegistrationPolicy:
        """Conditions of registration, and the role of the first account."""
        is_open = self.allow_registration
        # Trying the platform out must need no administrator; a real host is nobody's to try.
        if is_open is None and (self.use_mock_proxmox or (self.debug and not self.proxmox_host)):
            is_open = True
        # In production the first account may be that of a stranger.
        return RegistrationPolicy(is_open=is_open, first_is_admin=self.debug)

    @property
    def sign_in_limits(self) -> SignInLimits:
        """Limits of failed sign-ins and of registrations."""
        return make_limits(
            per_account=self.login_failures_per_account,
            per_address=self.login_failures_per_address,
            registrations=self.registrations_per_address,
        )

    def find_weaknesses(self) -> Iterator[tuple[str, str]]:
        """See `ServiceSettings.find_weaknesses`."""
        yield from super().find_weaknesses()
        # The same rules as for everybody: it is the account that is tried first.
        for fault in find_faults(self.admin_password, self.admin_username) if self.admin_password else ():
            yield "", f"PROXIMITY_ADMIN_PASSWORD: {fault}"
