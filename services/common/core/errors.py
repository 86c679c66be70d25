"""Errors of the domain. A service's own errors derive from these and have a name and a reason.

`rpc` turns them into gRPC statuses; nothing here knows about that. Each class has a `reason`, constant
UPPER_SNAKE_CASE, that clients can rely on; by default it is the class's name without `Error`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

WAIT = "wait"  # in an error's metadata: it passes by itself


@dataclass(frozen=True)
class Violation:
    """One field's fault: its path (`config.memory`) and what is wrong, naming the value."""

    field: str
    description: str


class DomainError(Exception):
    """A refusal that the caller may see.

    Args:
        message: one sentence that a person can act on, naming the bad value.
        violations: the fields at fault, where fields are at fault.
        metadata: machine-readable facts, all strings.
        retry_after: seconds after which trying again makes sense.
    """

    reason: ClassVar[str] = "DOMAIN"

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        if "reason" not in cls.__dict__:
            words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__.removesuffix("Error"))
            cls.reason = words.upper()

    def __init__(
        self,
        message: str,
        *,
        violations: Sequence[Violation] = (),
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})
        self.retry_after = retry_after


class InvalidError(DomainError):
    """The request itself is wrong: 400."""


class PreconditionError(DomainError):
    """The request is well formed but the thing is in no state for it: 400."""


class UnauthenticatedError(DomainError):
    """No credentials, or bad ones: 401."""


class ForbiddenError(DomainError):
    """Signed in, but not allowed: 403."""


class NotFoundError(DomainError):
    """It does not exist, or not for this caller: 404."""


class DuplicateError(DomainError):
    """It exists already: 409."""


class BusyError(DomainError):
    """Something else is under way, or the state changed meanwhile: 409."""


class ExhaustedError(DomainError):
    """Too many requests, which passes by itself after `retry_after`: 429."""


class UnavailableError(DomainError):
    """Something that is needed does not answer now; trying again may help: 503."""


class DeadlineError(UnavailableError):
    """It took too long, and it is not known whether it was done; trying again may help: 504."""


class MessagingUnavailableError(UnavailableError):
    """NATS does not answer."""


class ServiceUnreachableError(UnavailableError):
    """Another service of the platform does not answer now."""


class WaitingError(DomainError):
    """Mixed into an error: it passes by itself, so work waits for it, which is no failed attempt."""

    def __init__(self, message: str, **details: Any) -> None:
        metadata = {**(details.pop("metadata", None) or {}), WAIT: "true"}
        super().__init__(message, metadata=metadata, **details)


class SealBrokenError(PreconditionError):
    """A sealed value does not open: another key, another row, or damage."""

    def __init__(self, place: str, fault: str) -> None:
        remedy = "set the former SECRET_KEY in PREVIOUS_SECRET_KEYS, or enter the value again"
        super().__init__(f"the stored secret {place} {fault}; {remedy}")


def is_waiting(error: BaseException) -> bool:
    """Whether an error, also one of another service, passes by itself.

    A deadline that was exceeded says that somebody behind the service is silent, which is an outage like any other.
    """
    if isinstance(error, ServiceUnreachableError | DeadlineError):
        return True
    return isinstance(error, DomainError) and WAIT in error.metadata


def is_final(error: BaseException) -> bool:
    """Whether a repetition is refused in the same way: its object is not ours, does not exist or is invalid."""
    if not isinstance(error, ForbiddenError | NotFoundError | InvalidError):
        return False
    return not is_waiting(error)


def invalid_field(field: str, description: str) -> InvalidError:
    """An InvalidError for one field, with the description as its sentence."""
    return InvalidError(f"{field}: {description}", violations=[Violation(field, description)])


def check_page(*, has_number: bool, after: object) -> None:
    """Refuse a request that names a page and an entry to begin behind.

    Raises:
        InvalidError: it does.
    """
    if has_number and after:
        raise invalid_field("after", "give either page or after: they begin at different places")


def refuse_after(after: object, *, kind: str) -> InvalidError:
    """Build the refusal of an entry to begin behind that is not known, or not any more."""
    return invalid_field("after", f"there is no {kind} {after}; begin again without it")


class TransientError(UnavailableError):
    """A step failed in a way that may pass: it is tried again, at most 3 times."""


def is_transient(error: BaseException) -> bool:
    """Whether trying again may help: connections, time-outs, services and Proxmox that do not answer."""
    return isinstance(error, UnavailableError | TimeoutError | ConnectionError)
