"""Collections whose apps are no compose definitions, which cannot be imported."""

from __future__ import annotations

import re
from collections.abc import Mapping

_HEAD = 4096  # bytes in which a definition of CapRover has its version
_CAPROVER = re.compile(rb"^\s*[\"']?captainVersion[\"']?\s*:", re.MULTILINE)
# Files that only the catalogs of TrueNAS have.
_TRUENAS = re.compile(r"(?:^|/)(?:ix_values\.yaml|questions\.yaml|app_versions\.json)$")


_CAPROVER_REASON = (
    "is a collection of CapRover one-click apps, whose definitions are templates for CapRover itself "
    "($$cap_… variables); add a collection of compose files instead"
)
_TRUENAS_REASON = (
    "is a TrueNAS catalog, whose apps are templates for the middleware of TrueNAS; add a collection of compose "
    "files instead"
)
_LOCATIONS = (
    (re.compile(r"//[^/]+/(?:caprover/|[^/]+/one-click-apps(?:[./#]|$))", re.IGNORECASE), _CAPROVER_REASON),
    (re.compile(r"//[^/]+/(?:truenas|ix-systems|truecharts)/(?:apps|charts|catalog|public)(?:[./#]|$)", re.IGNORECASE),
     _TRUENAS_REASON),
)  # fmt: skip


def find_foreign_location(location: str) -> str:
    """Return why a known repository is none that can be imported, empty where it is not known to be such a one."""
    return next((reason for pattern, reason in _LOCATIONS if pattern.search(location)), "")


def find_foreign_format(files: Mapping[str, bytes]) -> str:
    """Return why a collection is none that can be imported, empty where it is not known to be such a one."""
    for path, content in files.items():
        if path.endswith("captain-definition") or (
            path.endswith((".yml", ".yaml", ".json")) and _CAPROVER.search(content[:_HEAD])
        ):
            return _CAPROVER_REASON
        if _TRUENAS.search(path):
            return _TRUENAS_REASON
    return ""
