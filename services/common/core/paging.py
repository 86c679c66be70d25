"""Pages of lists: by number, or after an entry."""

from __future__ import annotations

from services.common.core.errors import InvalidError, invalid_field


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
