"""Sizes of disks as a container's configuration states them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGT]?)")
_GIB = {"": 1 / (1 << 30), "K": 1 / (1 << 20), "M": 1 / 1024, "G": 1.0, "T": 1024.0}  # without a unit: bytes


def read_disk_gb(config: Mapping[str, Any]) -> float:
    """Return the size of the root disk in GiB; 0 where the configuration does not state it.

    A running container's `maxdisk` is the size of its file system, which is smaller.
    """
    for part in str(config.get("rootfs") or "").split(","):
        name, _, size = part.partition("=")
        if name.strip() == "size" and (match := _SIZE.fullmatch(size.strip().upper())):
            return float(match.group(1)) * _GIB[match.group(2)]
    return 0.0
