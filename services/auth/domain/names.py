"""User names and addresses: their limits, and the form in which they are unique."""

from __future__ import annotations

import re
import unicodedata

from services.common.core.errors import Violation
from services.common.core.text import is_blank

LONGEST_NAME = 600  # characters of the columns that store the unique form


def normalize_name(name: str) -> str:
    """Return the form in which user names and addresses are unique: without case and compatibility forms."""
    return unicodedata.normalize("NFKC", name).casefold()


def is_username(name: str) -> bool:
    """Return whether `name` is 1 to 150 letters, digits and @.+-_; the protos have the same pattern."""
    return re.fullmatch(r"[\w.@+-]{1,150}", name) is not None


def find_name_fault(name: str) -> str:
    """Return why a user name or address is refused: one character can become many in the unique form."""
    length = len(normalize_name(name))
    if length <= LONGEST_NAME:
        return ""
    return f"has {length} characters written out; at most {LONGEST_NAME} are allowed"


def find_blank_names(*, first_name: str | None, last_name: str | None) -> list[Violation]:
    """Return the names of a person that were given and of which nothing can be seen; an empty one removes the name."""
    return [
        Violation(field, "must not be blank; leave it empty")
        for field, name in (("first_name", first_name), ("last_name", last_name))
        if name and is_blank(name)
    ]


def name_administrator(username: str) -> str:
    """Return the issuer of a link as links, notices and the audit log name it."""
    return f"administrator {username}"
