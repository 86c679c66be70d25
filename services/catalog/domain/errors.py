"""Every refusal of the catalog, by name."""

from __future__ import annotations

from collections.abc import Sequence

from services.catalog.domain.faults import Fault


class CatalogError(Exception):
    """A refusal a person can act on."""


class ItemNotFoundError(CatalogError):
    """No item of that id is published."""


class RevisionNotFoundError(CatalogError):
    """That revision of the item was never published."""


class CategoryNotFoundError(CatalogError):
    """No published item is in that category."""


class InvalidItemError(CatalogError):
    """A catalog file breaks the format; `faults` says where."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


class InvalidInputsError(CatalogError):
    """Inputs or environment do not fit the item; `violations` maps a name to what is wrong."""

    def __init__(self, violations: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {text}" for name, text in sorted(violations.items())))
        self.violations = violations


class UnsafeDefinitionError(CatalogError):
    """The rendered definition asks for what the item does not allow."""


class RuntimeNotSupportedError(CatalogError):
    """The item does not run in that runtime."""


class SourceFetchError(CatalogError):
    """A source could not be read; nothing was published."""
