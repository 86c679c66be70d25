"""Errors of the catalog; each class is a reason of the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from services.catalog.domain.faults import Fault
from services.common.core.errors import (
    BusyError,
    DuplicateError,
    InvalidError,
    NotFoundError,
    PreconditionError,
    Violation,
)


class ItemNotFoundError(NotFoundError):
    """No item of that id is published."""


class RevisionNotFoundError(NotFoundError):
    """That revision of the item was never published."""


class CategoryNotFoundError(NotFoundError):
    """No published item is in that category."""


class IconNotFoundError(NotFoundError):
    """The item has no icon of its own."""


class SourceNotFoundError(NotFoundError):
    """No source of that id is registered."""


class SourceDuplicateError(DuplicateError):
    """A source of that name is registered already."""


class SourceBusyError(BusyError):
    """The source is being fetched."""


class InvalidSourceError(InvalidError):
    """The source cannot be registered like this."""


class InvalidItemError(InvalidError):
    """An item file breaks the format; `faults` has the places."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class InvalidInputsError(InvalidError):
    """Inputs or environment do not fit the item; `faults` maps a field to its fault."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        text = "; ".join(f"{field} {fault}" for field, fault in sorted(faults.items()))
        super().__init__(
            text, violations=[Violation(field, fault) for field, fault in sorted(faults.items())]
        )
        self.faults = dict(faults)


class UnsafeDefinitionError(InvalidError):
    """The rendered definition needs something of the host that the item does not allow."""


class RuntimeNotSupportedError(InvalidError):
    """The item does not run in that runtime."""


class SourceFetchError(PreconditionError):
    """A source could not be read; nothing was published."""
