"""Characters that a text may not hold: controls act on terminals and configuration files, overrides reorder what is shown."""

from __future__ import annotations

import re
import unicodedata

# C0, DEL and C1; line and paragraph separators; embeddings, overrides and isolates of the bidirectional algorithm.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_CONTROL_BUT_LINES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # fillers, which Unicode counts as letters


def find_control(text: str) -> str:
    """Return the name of the first character that no text of one line may hold, as `U+000A`; empty when there is none."""
    return _name_first(_CONTROL, text)


def find_control_in_lines(text: str) -> str:
    """Return the name of the first control other than tab and line feed, as `U+001B`; empty when there is none."""
    return _name_first(_CONTROL_BUT_LINES, text)


def is_blank(text: str) -> bool:
    """Whether nothing of a text can be seen."""
    return all(
        each.isspace() or each in _INVISIBLE_LETTERS or unicodedata.category(each) in ("Cc", "Cf", "Cn", "Co")
        for each in text
    )


def make_printable(text: str) -> str:
    """Replace every control with a space, for text of others that goes into messages and logs."""
    return _CONTROL.sub(" ", text)


def make_lines_printable(text: str) -> str:
    """Replace every control but tab and line feed with a space, for text of others that a terminal may show."""
    return _CONTROL.sub(lambda found: found.group() if found.group() in "\t\n" else " ", text)


def _name_first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return f"U+{ord(found.group()):04X}" if found else ""
