"""Registration: conditions for an account, the role of the first one, and rules of names and passwords."""

from __future__ import annotations

from dataclasses import dataclass

from services.auth.domain.entities import Registration
from services.auth.domain.errors import InvalidRegistrationError
from services.auth.domain.names import find_blank_names, find_name_fault
from services.auth.domain.passwords import MAX_LENGTH, MIN_LENGTH, RULES, find_faults
from services.common.core.errors import Violation


@dataclass(frozen=True, kw_only=True)
class RegistrationPolicy:
    """Conditions of registration.

    Attributes:
        is_open: whether anybody may register; None: until there is an administrator.
        first_is_admin: whether the very first account becomes administrator; in development only.
    """

    is_open: bool | None = None
    first_is_admin: bool = False

    def admits(self, *, has_admin: bool) -> bool:
        """Return whether registration is open now."""
        return not has_admin if self.is_open is None else self.is_open


@dataclass(frozen=True, kw_only=True)
class Setup:
    """State of an installation for somebody without an account: whether to set up, register or ask."""

    needs_admin: bool
    registration_open: bool
    min_password_length: int = MIN_LENGTH
    max_password_length: int = MAX_LENGTH
    password_rules: tuple[str, ...] = RULES


def check_registration(registration: Registration) -> None:
    """Refuse names or a password that no account may have.

    Raises:
        InvalidRegistrationError: the violations say why.
    """
    if violations := find_registration_faults(registration):
        message = "; ".join(f"{violation.field} {violation.description}" for violation in violations)
        raise InvalidRegistrationError(message, violations=violations)


def find_registration_faults(registration: Registration) -> list[Violation]:
    """Return the faults of the names and passwords of a registration."""
    field = registration.password_field
    if not registration.password:
        return [Violation(field, "is required")]
    faults = [
        Violation(name, fault)
        for name in ("username", "email")
        if (fault := find_name_fault(getattr(registration, name)))
    ]
    faults += find_blank_names(first_name=registration.first_name, last_name=registration.last_name)
    # A name that cannot be shown safely is not repeated in the sentences about the password.
    if faults:
        return faults
    faults += [Violation(field, fault) for fault in find_faults(registration.password, registration.username)]
    if registration.repeated and registration.repeated != registration.password:
        faults.append(Violation("password2", "is not the same password"))
    return faults
