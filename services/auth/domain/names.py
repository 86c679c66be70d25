"""User names and addresses: which are possible, and in which form they are unique."""

from __future__ import annotations

import re
import unicodedata

LONGEST_NAME = 600


def normalize_name(name: str) -> str:
    """The form in which user names and addresses are unique: without case and compatibility forms."""
    return unicodedata.normalize("NFKC", name).casefold()


def is_username(name: str) -> bool:
    """Whether it is 1 to 150 letters, digits and @.+-_ ; the protos have the same pattern."""
    return re.fullmatch(r"[\w.@+-]{1,150}", name) is not None


def find_name_fault(name: str) -> str:
    """Why a user name or address cannot be kept: some signs become many in the form in which it is unique."""
    length = len(normalize_name(name))
    if length <= LONGEST_NAME:
        return ""
    return f"has {length} characters written out; at most {LONGEST_NAME} are allowed"


def name_administrator(username: str) -> str:
    """How links, notices and the audit log name an administrator who made a link."""
    return f"administrator {username}"
