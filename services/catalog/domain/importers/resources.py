"""Memory, processors and disk of an imported app."""

from __future__ import annotations

import re
from typing import Any

from services.catalog.domain.importers.community_resources import COMMUNITY_RESOURCES
from services.catalog.domain.importers.draft import Draft

_MEMORY = 256  # MB of a service of which nothing is known
_CPU, _DISK = 1, 16  # recommended cores and GB of an app of which nothing is known
_LEAST_CPU, _LEAST_DISK = 0.5, 4  # cores; GB, which the system and an image need
_LEAST_MEMORY = 16  # MB: Proxmox creates no container with less


def build_resources(draft: Draft, *, services: int) -> dict[str, Any]:
    """Return the resources of an app: as its collection says, else as community-scripts gives apps of its name.

    What community-scripts gives is recommended, as it is for the whole container; half of its memory is the minimum, at
    least that of the services.
    """
    memory = max(draft.memory, _LEAST_MEMORY) if draft.memory else _MEMORY * services
    known = find_community_resources(draft.name) or find_community_resources(draft.id)
    given, cores, disk = known or (0, 0, 0)
    if not draft.memory:
        memory = max(memory, given // 2)
    return {
        "memory": {"minimum": memory, "recommended": max(given, memory * 2)},
        "cpu": {"minimum": _LEAST_CPU, "recommended": max(_CPU, cores)},
        "disk": {"minimum": max(_LEAST_DISK, disk), "recommended": max(_DISK, 2 * disk)},
    }


def find_community_resources(name: str) -> tuple[int, int, int] | None:
    """Return memory (MB), cores and disk (GB) of an app by its name in any spelling, None where it is not listed."""
    return COMMUNITY_RESOURCES.get(re.sub(r"[^a-z0-9]", "", name.lower()))
