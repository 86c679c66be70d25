"""Collections whose apps are no compose definitions, which cannot be imported."""

from __future__ import annotations

import re
from collections.abc import Mapping

_HEAD = 4096  # bytes in which a definition of CapRover has its version
_CAPROVER = re.compile(rb"^\s*[\"']?captainVersion[\"']?\s*:", re.MULTILINE)
# Files that only the catalogs of TrueNAS have.
_TRUENAS = re.compile(r"(?:^|/)(?:ix_values\.yaml|questions\.yaml|app_versions\.json)$")


def find_foreign_format(files: Mapping[str, bytes]) -> str:
    """Return why a collection cannot be imported, empty for every other collection."""
    for path, content in files.items():
        if path.endswith("captain-definition") or (
            path.endswith((".yml", ".yaml", ".json")) and _CAPROVER.search(content[:_HEAD])
        ):
            return (
                "is a collection of CapRover one-click apps, whose definitions are templates for CapRover itself "
                "($$cap_… variables); add a collection of compose files instead"
            )
        if _TRUENAS.search(path):
            return (
                "is a TrueNAS catalog, whose apps are templates for the middleware of TrueNAS; add a collection of compose "
                "files instead"
            )
    return ""
