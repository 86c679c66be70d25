"""Service that prepares an app's volumes: it runs before the others, whenever the project is brought up.

Other systems have the first files of a folder beside it and change its owner to the user that
a service runs as. A volume begins empty and owned by root; existing content is never changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.catalog.domain.renderer import compose

# Name of a service; no app of a known collection has one of this name.
PREPARER = "proximity-volumes"
# A version, since a floating tag would change every imported app; 2 MB, with sh, find, stat and chown.
_IMAGE = "busybox:1.37"
# Existing files are skipped: they are the app's data from then on.
_COPY = """cd /files && find . -type f | while read -r f; do
  [ -e "/volumes/$$f" ] && continue
  top="/volumes/$$(echo "$$f" | cut -d/ -f2)"
  mkdir -p "/volumes/$${f%/*}" && cp -p "$$f" "/volumes/$$f" && chown -R "$$(stat -c %u:%g "$$top")" "$$top"
done
"""
_DONE = {"condition": "service_completed_successfully"}


@dataclass(slots=True)
class FirstFiles:
    """First files of volumes: references to configs, whose targets are below `/files/<volume>/`."""

    references: list[dict[str, Any]] = field(default_factory=list)
    volumes: set[str] = field(default_factory=set)


def prepare_volumes(services: dict[str, Any], first: FirstFiles) -> None:
    """Add the service that prepares volumes, where one has first files or another owner than root."""
    owners = _list_owners(services)
    volumes = sorted(first.volumes | owners.keys())
    if not volumes or PREPARER in services:
        return
    for service in services.values():
        if any(mount.source in volumes for mount in compose.parse_mounts(service.get("volumes"))):
            depends = service.get("depends_on") or {}
            if not isinstance(depends, Mapping):
                depends = {name: {"condition": "service_started"} for name in depends}
            service["depends_on"] = {**depends, PREPARER: _DONE}
    script = "".join(f"chown {owner} /volumes/{volume}\n" for volume, owner in sorted(owners.items()))
    preparer: dict[str, Any] = {
        "image": _IMAGE,
        "restart": "no",
        "network_mode": "none",
        "volumes": [f"{volume}:/volumes/{volume}" for volume in volumes],
        "command": ["sh", "-c", script + (_COPY if first.references else "")],
    }
    if first.references:
        preparer["configs"] = first.references
    services[PREPARER] = preparer


def _list_owners(services: Mapping[str, Any]) -> dict[str, str]:
    """Return the owner of each volume that a service with a user of its own writes to."""
    owners: dict[str, str] = {}
    for service in services.values():
        user = re.fullmatch(r"([1-9][0-9]{0,8})(?::([0-9]{1,9}))?", str(service.get("user", "")))
        if user is None:
            continue
        for mount in compose.parse_mounts(service.get("volumes")):
            if not mount.read_only:
                owners.setdefault(mount.source, f"{user[1]}:{user[2] or user[1]}")
    return owners
