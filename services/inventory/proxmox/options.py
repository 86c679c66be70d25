"""Texts of options as Proxmox keeps them: line by line in a configuration, so that none may begin another line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from services.common.core.errors import invalid_field

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ALLOWED: dict[str, re.Pattern[str]] = {
    "env": re.compile(r"\0"),  # between its entries, see merge_environment
    # Proxmox encodes these, and what somebody wrote there goes back as it was.
    "description": re.compile(r"[^\0]"),
    "notes": re.compile(r"[^\0]"),
}


def check_texts(options: Mapping[str, Any]) -> None:
    """Refuse controls in any option of a request, other than those that Proxmox itself puts there.

    Raises:
        InvalidError: one would begin another line, or another option.
    """
    for name, value in options.items():
        if not isinstance(value, str):
            continue
        # Options that Proxmox itself encodes may contain more than one line.
        allowed = _ALLOWED.get(name)
        found = _CONTROL.search(allowed.sub("", value) if allowed else value)
        if found:
            raise invalid_field(name, f"holds the control character U+{ord(found.group()):04X}")
