"""Phrases of messages to users: numbers, and the nearest known name for an unknown one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

# Least ratio of difflib: `memroy` is near `memory`, `owner_id` is not near `network_cidr`.
_NEARNESS = 0.7
# Least length of a name that may stand for a longer one: `type` for `backup_type`.
_SHORTEST_PART = 4


def suggest(name: str, known: Iterable[str]) -> str:
    """The remedy for an unknown name: the nearest known one, or all of them when none is near."""
    names = sorted(known)
    if not names:
        return "there are none"
    near = _find_near(name, names)
    return f"did you mean {' or '.join(near)}?" if near else f"known are {', '.join(names)}"


def refuse_choice(name: str, known: Sequence[str]) -> str:
    """Return the sentence that refuses an unknown value: the known ones in their order, and the nearest one."""
    near = _find_near(name, sorted(known))
    return f"is not one of: {', '.join(known)}" + (f"; did you mean {' or '.join(near)}?" if near else "")


def _find_near(name: str, names: Sequence[str]) -> list[str]:
    spelling = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name[:100]).lower().replace("-", "_")
    near = difflib.get_close_matches(spelling, names, n=1, cutoff=_NEARNESS) or [
        each for each in names if len(spelling) >= _SHORTEST_PART and (spelling in each or each in spelling)
    ]
    return near[:3]


def show_number(number: float) -> str:
    """A number in digits: 1000000, not 1e+06."""
    return str(int(number)) if float(number).is_integer() else repr(number)
