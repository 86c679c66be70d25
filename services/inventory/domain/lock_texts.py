"""Texts of Proxmox that name a reason which passes: a lock, or a missing quorum."""

from __future__ import annotations

import re

LOCKED = re.compile(
    r"can't lock file|got lock (request )?timeout|unable to (acquire|get) \S*\s*lock"
    r"|detected modified configuration",  # another change came first: read and write again
    re.IGNORECASE,
)
CONTAINER_LOCKED = re.compile(r"(?:CT|VM) (?:\d+ )?is locked(?: \([^)]*\))?", re.IGNORECASE)
# Without quorum /etc/pve is read-only, which is the error of some calls.
NO_QUORUM = re.compile(r"no quorum|not quorate|/etc/pve/\S* - Permission denied", re.IGNORECASE)


def names_lock(text: str) -> bool:
    """Whether a text names a lock or a missing quorum, so that the same request succeeds later."""
    return any(one.search(text) for one in (LOCKED, CONTAINER_LOCKED, NO_QUORUM))
